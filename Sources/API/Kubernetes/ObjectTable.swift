import CLinux
import HTTP
import Manifests
import Values

/// Objects as Kubernetes' kind Table shows them: cells of the columns of their kind.
struct ObjectTable {
    private let columns: [Column]
    private let included: String
    private let nowMs: Int64

    /// Nil when the client asks for whole objects.
    init?(_ call: Call) {
        guard Self.isWanted(call.exchange.header("Accept") ?? "") else { return nil }
        columns = call.kind.definition.columns
        included = call.parameters[Query.includeObject] ?? "Metadata"
        nowMs = agentos_wall_ms()
    }

    /// Its rows hold whole objects.
    var holdsObjects: Bool { included == "Object" }

    /// The first kind of answer that a client accepts and that there is.
    private static func isWanted(_ accept: String) -> Bool {
        for range in accept.split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.drop { $0 == " " } }
            guard let type = parts.first, type == "application/json" || type == "*/*" else { continue }
            if !parts.contains("as=Table") { return false }
            if parts.contains("v=v1") { return true }
        }
        return false
    }

    /// Everything before the rows.
    func head(metadata: String, withColumns: Bool = true) -> [UInt8] {
        var out = Array("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\(metadata)}".utf8)
        if withColumns {
            out += ",\"columnDefinitions\":".utf8
            JSONWriter.write(.list(columns.map(Self.definition)), into: &out)
        }
        out += ",\"rows\":[".utf8
        return out
    }

    static let end = Array("]}".utf8)

    private static func definition(_ column: Column) -> Node {
        let isNumber = if case .number = column.cell(.emptyMap) { true } else { false }
        return .map([
            ("name", .text(column.name.prefix(1) + column.name.dropFirst().lowercased())),
            ("type", isNumber ? "integer" : "string"), ("format", column.name == "NAME" ? "name" : ""),
            ("description", ""), ("priority", .number(column.isWide ? 1 : 0)),
        ])
    }

    /// One row, from the text of an object.
    func row(_ text: [UInt8]) -> [UInt8] {
        let object = JSONReader.read(String(decoding: text, as: UTF8.self)) ?? .emptyMap
        let cells = columns.map { column -> Node in
            switch column.cell(object) {
            case .text(let text): .text(text)
            case .number(let number): .number(number)
            case .since(let time): .text(Age.text(time, nowMs: nowMs))
            }
        }
        let shown: Node? =
            switch included {
            case "None": nil
            case "Object": object
            default:
                .map([
                    ("kind", "PartialObjectMetadata"), ("apiVersion", "meta.k8s.io/v1"),
                    ("metadata", object["metadata"]),
                ])
            }
        return JSONWriter.bytes(.map([("cells", .list(cells)), ("object", shown)]))
    }

    /// A table of one object.
    func text(_ object: [UInt8], withColumns: Bool = true) -> [UInt8] {
        head(metadata: "", withColumns: withColumns) + row(object) + Self.end
    }
}
