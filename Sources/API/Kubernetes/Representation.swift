import CLinux
import Loop
import Manifests
import Resources
import Values

/// How a client wants the documents of a resource: whole, their metadata alone, or as rows of a Table.
struct Representation {
    let resource: Resource
    let form: Document.Form

    init(_ call: Call) {
        resource = call.resource
        form = Self.form(call)
    }

    /// The first that the client accepts and that there is. JSON is sent to those who accept nothing of it, too: all
    /// known clients read it.
    private static func form(_ call: Call) -> Document.Form {
        for range in call.accepted.ranges where range.takes("application/json") {
            let (version, group) = (range.parameters["v"], range.parameters["g"] ?? "meta.k8s.io")
            switch range.parameters["as"] {
            case nil: return .whole
            case "Table" where version == "v1" && group == "meta.k8s.io":
                return .row(call.parameters[Query.includeObject].flatMap(Document.Included.init) ?? .metadata)
            case "PartialObjectMetadata" where version == "v1" && group == "meta.k8s.io",
                "PartialObjectMetadataList" where version == "v1" && group == "meta.k8s.io":
                return .metadata
            default: continue
            }
        }
        return .whole
    }

    /// What it sends of a stored object is the object's own text.
    var isText: Bool {
        guard case .objects = resource.home, case .whole = form else { return false }
        return true
    }

    /// What it sends are whole objects.
    var holdsObjects: Bool {
        switch form {
        case .whole, .row(.object): true
        case .metadata, .row(.none), .row(.metadata): false
        }
    }

    // MARK: Lists

    /// Everything before the items of a list.
    func head(metadata: String) -> [UInt8] {
        switch form {
        case .whole: Self.head("\(resource.kind)List", resource.apiVersion, metadata)
        case .metadata: Self.head("PartialObjectMetadataList", "meta.k8s.io/v1", metadata)
        case .row: ObjectTable.head(resource, metadata: metadata, withColumns: true)
        }
    }

    private static func head(_ kind: String, _ apiVersion: String, _ metadata: String) -> [UInt8] {
        Array("{\"kind\":\"\(kind)\",\"apiVersion\":\"\(apiVersion)\",\"metadata\":{\(metadata)},\"items\":[".utf8)
    }

    /// What follows the items, of a Table too.
    static let listEnd = Array("]}".utf8)

    // MARK: Single documents

    /// An answer with one document, whose Table names its columns unless they are known.
    func single(_ item: [UInt8], withColumns: Bool = true) -> [UInt8] {
        switch form {
        case .whole, .metadata: item
        case .row: ObjectTable.head(resource, metadata: "", withColumns: withColumns) + item + Self.listEnd
        }
    }

    /// What tells a watch a version and no object.
    func bookmark(version: Int64, endsInitialEvents: Bool) -> Node {
        let metadata = Node.map([
            ("resourceVersion", .text(String(version))), ("creationTimestamp", Node(.null)),
            ("annotations", endsInitialEvents ? .map([("k8s.io/initial-events-end", "true")]) : nil),
        ])
        switch form {
        case .whole:
            return .map([
                ("kind", .text(resource.kind)), ("apiVersion", .text(resource.apiVersion)), ("metadata", metadata),
            ])
        case .metadata:
            return .map([
                ("kind", "PartialObjectMetadata"), ("apiVersion", "meta.k8s.io/v1"), ("metadata", metadata),
            ])
        case .row:
            let object = Node.map([
                ("kind", .text(resource.kind)), ("apiVersion", .text(resource.apiVersion)), ("metadata", metadata),
            ])
            return .map([
                ("kind", "Table"), ("apiVersion", "meta.k8s.io/v1"),
                ("metadata", .map([("resourceVersion", .text(String(version)))])), ("columnDefinitions", Node(.null)),
                ("rows", [.map([("cells", []), ("object", object)])]),
            ])
        }
    }

    // MARK: Items

    /// A document in this form, from its text.
    func bytes(_ document: Document, text: () -> [UInt8]) -> [UInt8] {
        switch form {
        case .whole: text()
        case .metadata:
            document.encoded(form) {
                Encoded(JSONWriter.bytes(ObjectTable.partial(document.node ?? JSONReader.read(text()) ?? .emptyMap)))
            }.bytes(nowMs: 0)
        case .row(let included):
            document.encoded(form) {
                ObjectTable.row(resource, document.node ?? JSONReader.read(text()) ?? .emptyMap, included)
            }.bytes(nowMs: agentos_wall_ms())
        }
    }
}

extension JSONReader {
    /// Reads one value that this program wrote itself.
    fileprivate static func read(_ bytes: [UInt8]) -> Node? {
        var diagnostics = Diagnostics()
        return read(bytes, file: "", diagnostics: &diagnostics)
    }
}
