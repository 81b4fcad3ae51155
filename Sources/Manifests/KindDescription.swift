public import Values

/// What the program knows of one kind. Whoever needs to tell kinds apart asks here.
public final class KindDescription: Sendable {
    public let group: String
    public let version: String
    /// The plural in URLs.
    public let resource: String
    public let shortNames: [String]
    /// Groups of kinds that clients ask for by one word: `all`.
    public let categories: [String]
    /// What the kind is, in one sentence.
    public let text: String
    public let isNamespaced: Bool
    /// The root: `apiVersion`, `kind`, `metadata` and what the kind has of its own.
    public let fields: [Field]
    public let subresources: Set<Subresource>
    /// What lists show of an object, in order; the name stands before them.
    public let columns: [Column]
    /// Paths beside `metadata.name` and `metadata.namespace` that a field selector may name.
    public let selectableFields: [String]
    /// What the shapes of single fields cannot say; asked about objects whose fields are in order.
    let rules: @Sendable (Node, inout Validator) -> Void
    /// Two specs mean the same, however they are spelt.
    let isSameSpec: @Sendable (Node, Node, DriverTable) -> Bool

    init(
        _ name: String, group: String = "", resource: String, shortNames: [String] = [], categories: [String] = [],
        text: String, isNamespaced: Bool = true, nameRule: StringRule, fields: [Field],
        subresources: Set<Subresource> = [], columns: [Column], selectableFields: [String] = [],
        rules: @escaping @Sendable (Node, inout Validator) -> Void = { _, _ in },
        isSameSpec: @escaping @Sendable (Node, Node, DriverTable) -> Bool = { one, other, _ in one == other }
    ) {
        version = "v1"
        self.group = group
        self.resource = resource
        self.shortNames = shortNames
        self.categories = categories
        self.text = text
        self.isNamespaced = isNamespaced
        self.fields = ObjectFields.root(
            apiVersion: group.isEmpty ? version : "\(group)/\(version)", kind: name, nameRule: nameRule,
            isNamespaced: isNamespaced, fields)
        self.subresources = subresources
        self.columns = columns
        self.selectableFields = selectableFields
        self.rules = rules
        self.isSameSpec = isSameSpec
    }
}

/// What the API offers below one object, by the last part of its path.
public enum Subresource: String, Sendable, CaseIterable {
    case status, scale, events, revisions, log, exec, attach, portforward, sync, preview, token
}

/// One column of a list of objects.
public struct Column: Sendable {
    /// How a cell reads, for those who print it and for those who compute with it.
    public enum Cell: Sendable, Equatable {
        case text(String)
        case number(Int)
        /// A time as the API writes it; shown as the time that has passed since.
        case since(String?)
    }

    /// What the cells of a column are, as Tables say it.
    public enum CellType: String, Sendable { case string, integer }

    public let name: String
    /// What the column shows, in one sentence.
    public let text: String
    public let type: CellType
    /// Shown only where there is room for it.
    public let isWide: Bool
    public let cell: @Sendable (Node) -> Cell

    public init(
        _ name: String, text: String, type: CellType = .string, isWide: Bool = false,
        _ cell: @escaping @Sendable (Node) -> Cell
    ) {
        self.name = name
        self.text = text
        self.type = type
        self.isWide = isWide
        self.cell = cell
    }

    public static let age = Column("AGE", text: "The time since it was made.") {
        .since($0[path: "metadata", "creationTimestamp"]?.string)
    }
    public static let name = Column("NAME", text: "Its name, unique in its namespace.") {
        .text($0[path: "metadata", "name"]?.string ?? "")
    }
    static let phase = Column("PHASE", text: "Where it stands.") { .text($0[path: "status", "phase"]?.string ?? "") }

    /// A number of the status.
    public static func count(_ name: String, _ field: String, text: String, isWide: Bool = false) -> Column {
        Column(name, text: text, type: .integer, isWide: isWide) { .number($0[path: "status", field]?.int ?? 0) }
    }

    /// What the condition Ready says.
    static let reason = Column("REASON", text: "What the condition Ready says.", isWide: true) { .text(readiness($0)) }

    static func readiness(_ object: Node) -> String {
        let conditions = object[path: "status", "conditions"]?.list ?? []
        return conditions.first { $0["type"]?.string == "Ready" }?["message"]?.string ?? ""
    }
}

extension Kind {
    /// Two contents declare the same, however their values are spelt: `1` and `1000m`, `args: []` and none.
    public func isSame(_ a: Node, _ b: Node, drivers: DriverTable) -> Bool {
        if a == b { return true }
        func rest(_ node: Node) -> Node {
            var rest = node
            rest["spec"] = nil
            return rest.withoutEmptyMaps
        }
        return rest(a) == rest(b) && definition.isSameSpec(a["spec"] ?? .emptyMap, b["spec"] ?? .emptyMap, drivers)
    }
}

extension Node {
    fileprivate var withoutEmptyMaps: Node {
        guard let map else { return self }
        let kept = map.entries.compactMap { entry -> NodeMap.Entry? in
            let value = entry.value.withoutEmptyMaps
            return value.map?.isEmpty == true
                ? nil : NodeMap.Entry(key: entry.key, mark: entry.mark, value: value)
        }
        return Node(.map(NodeMap(kept)), mark: mark)
    }
}
