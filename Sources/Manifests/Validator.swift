public import Values

/// Checks nodes against the description of their kind, fills in defaults, and reports all errors at once.
public struct Validator {
    public var file: String
    public private(set) var diagnostics = Diagnostics()

    /// Unknown fields are no errors: they are kept apart, and left out of what is checked.
    public var collectsUnknown = false
    /// The first of the fields that were left out.
    public private(set) var unknown: [Diagnostic] = []

    let drivers: DriverTable
    private var place = NodePath()

    public init(file: String, drivers: DriverTable) {
        self.file = file
        self.drivers = drivers
    }

    /// The node with defaults filled in. Only meaningful when no diagnostics were added.
    public mutating func check(_ node: Node, kind: Kind) -> Node { check(node, fields: kind.fields) }

    /// The same for what is no object and has fields all the same, such as a settings file.
    public mutating func check(_ node: Node, fields: [Field]) -> Node { object(node, fields, fill: true) }

    /// Rules across fields; call after `check` found no errors.
    public mutating func checkRules(_ object: Node, kind: Kind) { kind.definition.rules(object, &self) }

    /// Checks a part of an object as applied: nothing is required at the top, maps get no defaults, list items do.
    public mutating func canonical(_ node: Node, kind: Kind) -> Node {
        object(node, kind.fields, fill: false)
    }

    public mutating func report(_ mark: Mark, _ path: String, _ message: String) {
        diagnostics.add(Diagnostic(file: file, mark: mark, path: path, message: message))
    }

    /// The same, where the walk stands.
    private mutating func report(_ mark: Mark, _ message: String) { report(mark, place.text, message) }

    private mutating func object(_ node: Node, _ fields: [Field], fill: Bool) -> Node {
        guard let map = node.map else {
            report(node.mark, Shape.object(fields).problem(with: node) ?? "")
            return node
        }
        var result = NodeMap()
        result.entries.reserveCapacity(map.entries.count + 4)
        for entry in map.entries {
            place.enter(entry.key)
            defer { place.leave() }
            guard let field = fields.first(where: { $0.name == entry.key }) else {
                takeUnknown(entry, fields)
                continue
            }
            if entry.value.isNull, case .anything = field.shape {
            } else if entry.value.isNull {
                continue  // null is "not set", as in Kubernetes
            }
            result.entries.append(
                NodeMap.Entry(key: entry.key, mark: entry.mark, value: value(entry.value, field.shape, fill: fill)))
        }
        if fill { complete(&result, fields, node.mark) }
        return Node(.map(result), mark: node.mark)
    }

    private mutating func takeUnknown(_ entry: NodeMap.Entry, _ fields: [Field]) {
        let message = "unknown field\(Suggestion.text(for: entry.key, among: fields.map(\.name)))"
        if !collectsUnknown {
            report(entry.mark, message)
        } else if unknown.count < Limits.diagnosticsMax {
            unknown.append(Diagnostic(file: file, mark: entry.mark, path: place.text, message: message))
        }
    }

    /// Fills in what is not there.
    private mutating func complete(_ map: inout NodeMap, _ fields: [Field], _ mark: Mark) {
        for field in fields where !map.entries.contains(where: { $0.key == field.name }) {
            place.enter(field.name)
            if field.required {
                report(mark, "required field is missing")
            } else if let fallback = field.fallback(among: drivers) {
                let value = value(fallback, field.shape, fill: true)
                map.entries.append(NodeMap.Entry(key: field.name, value: value))
            }
            place.leave()
        }
    }

    private mutating func value(_ node: Node, _ shape: Shape, fill: Bool) -> Node {
        if let problem = shape.problem(with: node) {
            report(node.mark, problem)
            return node
        }
        switch shape {
        case .anything, .string, .integer, .number, .boolean, .quantity, .enumeration: return node
        case .driver:
            if !drivers.names.isEmpty, let problem = Shape.problem(with: node, drivers.names) {
                report(node.mark, problem)
            }
            return node
        case .list(let item, let longest, let nonEmpty): return list(node, item, longest, nonEmpty)
        case .strings(let keys, let values):
            strings(node, keys, values)
            return node
        case .object(let fields): return object(node, fields, fill: fill)
        case .union(let fields):
            if let map = node.map, map.entries.count != 1 {
                report(node.mark, "expected exactly one of \(fields.map(\.name).joined(separator: ", "))")
            }
            return object(node, fields, fill: fill)
        }
    }

    private mutating func list(_ node: Node, _ item: Shape, _ longest: Int, _ nonEmpty: Bool) -> Node {
        let items = node.list ?? []
        if items.count > longest { report(node.mark, "more than \(longest) items") }
        if nonEmpty, items.isEmpty { report(node.mark, "must not be empty") }
        var checked: [Node] = []
        checked.reserveCapacity(items.count)
        for (index, element) in items.enumerated() {
            place.enter(index)
            checked.append(value(element, item, fill: true))
            place.leave()
        }
        return Node(.list(checked), mark: node.mark)
    }

    private mutating func strings(_ node: Node, _ keys: StringRule, _ values: StringRule) {
        for entry in node.map?.entries ?? [] {
            if let problem = keys.problem(with: entry.key) { report(entry.mark, problem) }
            if let problem = Shape.string(values).problem(with: entry.value) {
                place.enter(entry.key)
                report(entry.value.mark, problem)
                place.leave()
            }
        }
    }
}
