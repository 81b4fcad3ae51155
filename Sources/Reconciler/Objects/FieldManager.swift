import Manifests
import Planner
public import Values

/// The fields that one manager owns, as `metadata.managedFields` shows them.
///
/// Source: Kubernetes server-side apply, reduced to leaf paths: maps are granular, lists are atomic.
public struct FieldManager: Sendable, Equatable {
    public var name: String
    public var operation: String
    public var timeMs: Int64
    public var fields: FieldTree

    public init(name: String, operation: String, timeMs: Int64, fields: FieldTree) {
        self.name = name
        self.operation = operation
        self.timeMs = timeMs
        self.fields = fields
    }

    /// The field manager of a Source.
    static func name(of source: ObjectKey) -> String { "\(sourcePrefix)\(source.namespace).\(source.name)" }

    private static let sourcePrefix = "source-"

    /// It is, or was, that of a Source.
    var isOfSource: Bool { operation == "Apply" && name.hasPrefix(Self.sourcePrefix) }
}

extension FieldManager {
    /// `fieldsV1`: nested maps with keys `f:NAME`.
    public var fieldsV1: Node { Self.node(fields) }

    private static func node(_ tree: FieldTree) -> Node {
        .map(tree.children.sorted { $0.key < $1.key }.map { ("f:\($0.key)", node($0.value)) })
    }

    /// Reads `managedFields`; nil when it names no manager or no fields.
    public init?(_ node: Node, timeMs: Int64) {
        guard let name = node["manager"]?.string, let fields = node["fieldsV1"] else { return nil }
        var tree = FieldTree()
        for path in Leaves(of: fields).paths { tree.insert(path.map { String($0.dropFirst(2)) }[...]) }
        self.init(name: name, operation: node["operation"]?.string ?? "Apply", timeMs: timeMs, fields: tree)
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
