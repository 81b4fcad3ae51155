import Loop
import Manifests
import Resources
import Values

/// Documents as Kubernetes' kind Table shows them: cells of the columns of their resource.
enum ObjectTable {
    /// Everything before the rows.
    static func head(_ resource: Resource, metadata: String, withColumns: Bool) -> [UInt8] {
        var out = Array("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\(metadata)}".utf8)
        out += ",\"columnDefinitions\":".utf8
        JSONWriter.write(withColumns ? .list(columns(resource).map(definition)) : Node(.null), into: &out)
        out += ",\"rows\":[".utf8
        return out
    }

    /// Every Table has columns; of what is described with none, name and age are shown.
    private static func columns(_ resource: Resource) -> [Column] {
        resource.columns.isEmpty ? [.name, .age] : resource.columns
    }

    private static func definition(_ column: Column) -> Node {
        .map([
            ("name", .text(column.name.prefix(1) + column.name.dropFirst().lowercased())),
            ("type", .text(column.type.rawValue)), ("format", column.name == "NAME" ? "name" : ""),
            ("description", .text(column.text)), ("priority", .number(column.isWide ? 1 : 0)),
        ])
    }

    /// One row; its ages are counted when it is sent.
    static func row(_ resource: Resource, _ object: Node, _ included: Document.Included) -> Encoded {
        var row = Encoded(Array("{\"cells\":[".utf8))
        for (index, column) in columns(resource).enumerated() {
            if index > 0 { row.append(",".utf8) }
            switch column.cell(object) {
            case .text(let text): row.append(JSONWriter.bytes(.text(text)))
            case .number(let number): row.append(String(number).utf8)
            case .since(let time):
                row.append("\"".utf8)
                row.appendAge(since: time.flatMap(Timestamp.parse))
                row.append("\"".utf8)
            }
        }
        row.append("]".utf8)
        switch included {
        case .none: break
        case .metadata: row.append(",\"object\":".utf8 + JSONWriter.bytes(partial(object)))
        case .object: row.append(",\"object\":".utf8 + JSONWriter.bytes(object))
        }
        row.append("}".utf8)
        return row
    }

    /// The metadata of an object without what it is.
    static func partial(_ object: Node) -> Node {
        .map([
            ("kind", "PartialObjectMetadata"), ("apiVersion", "meta.k8s.io/v1"), ("metadata", object["metadata"]),
        ])
    }
}
