import Manifests
import Planner
public import Values

/// The fields that one manager owns, as `metadata.managedFields` shows them.
///
/// Source: Kubernetes server-side apply, reduced to leaf paths: maps are granular, lists are atomic.
public struct FieldManager: Sendable, Equatable {
    /// How the manager has come to own the fields.
    public enum Operation: String, Sendable, CaseIterable {
        case apply = "Apply"
        /// By any other write.
        case update = "Update"
    }

    public var name: String
    public var operation: Operation
    /// What it wrote: the object itself, or what is named below it.
    public var subresource: Request.Write.Subresource
    public var timeMs: Int64
    public var fields: FieldTree

    public init(
        name: String, operation: Operation, subresource: Request.Write.Subresource = .none, timeMs: Int64,
        fields: FieldTree
    ) {
        self.name = name
        self.operation = operation
        self.subresource = subresource
        self.timeMs = timeMs
        self.fields = fields
    }

    /// The field manager of a Source.
    static func name(of source: ObjectKey) -> String { "\(sourcePrefix)\(source.namespace).\(source.name)" }

    private static let sourcePrefix = "source-"
    /// Takes the fields of those who wrote long ago.
    static let ancient = "ancient-changes"

    /// It is, or was, that of a Source.
    var isOfSource: Bool { operation == .apply && name.hasPrefix(Self.sourcePrefix) }

    /// Whether another entry is of the same manager, by the same operation on the same part.
    func isSame(_ other: FieldManager) -> Bool {
        name == other.name && operation == other.operation && subresource == other.subresource
    }
}

extension FieldManager {
    /// `fieldsV1`: nested maps with keys `f:NAME`.
    public var fieldsV1: Node { Self.node(fields) }

    private static func node(_ tree: FieldTree) -> Node {
        .map(tree.children.sorted { $0.key < $1.key }.map { ("f:\($0.key)", node($0.value)) })
    }

    /// Reads an entry of `managedFields`; nil when it is none.
    public init?(_ node: Node, timeMs: Int64) {
        guard let name = node["manager"]?.string, name.utf8.count <= Limits.managerNameBytesMax,
            let operation = Operation(rawValue: node["operation"]?.string ?? Operation.apply.rawValue),
            let subresource = Request.Write.Subresource(rawValue: node["subresource"]?.string ?? ""),
            let fields = node["fieldsV1"], fields.map != nil
        else { return nil }
        self.init(
            name: name, operation: operation, subresource: subresource, timeMs: timeMs, fields: FieldTree(fields))
    }
}

extension FieldTree {
    /// Reads `fieldsV1`. Items of lists are not told apart here: who owns one owns the list.
    fileprivate init(_ fieldsV1: Node) {
        self.init()
        for entry in fieldsV1.map?.entries ?? [] where entry.key.hasPrefix("f:") {
            insert([String(entry.key.dropFirst(2))], FieldTree(entry.value))
        }
    }
}

/// The fields of a node that an apply sets: everything that is no map, and maps that are empty.
struct Leaves {
    private(set) var values: [(path: [String], value: Node)] = []

    init(of node: Node) { collect(node, []) }

    var paths: [[String]] { values.map(\.path) }

    private mutating func collect(_ node: Node, _ path: [String]) {
        guard let map = node.map, !map.isEmpty || path.isEmpty else { return values.append((path, node)) }
        for entry in map.entries.sorted(by: { $0.key < $1.key }) where !entry.value.isNull {
            collect(entry.value, path + [entry.key])
        }
    }
}
