public import Values

/// Checks nodes against the description of their kind, fills in defaults, and reports all errors at once.
public struct Validator {
    public var file: String
    public private(set) var diagnostics = Diagnostics()

    public init(file: String) { self.file = file }

    /// The node with defaults filled in. Only meaningful when no diagnostics were added.
    public mutating func check(_ node: Node, kind: Kind) -> Node {
        object(node, kind.fields, path: "", fill: true)
    }

    /// Checks a part of an object as applied: nothing is required at the top, maps get no defaults, list items do.
    public mutating func canonical(_ node: Node, kind: Kind) -> Node {
        object(node, kind.fields, path: "", fill: false)
    }

    public mutating func report(_ mark: Mark, _ path: String, _ message: String) {
        diagnostics.add(Diagnostic(file: file, mark: mark, path: path, message: message))
    }

    private mutating func object(_ node: Node, _ fields: [Field], path: String, fill: Bool) -> Node {
        guard let map = node.map else {
            report(node.mark, path, "expected a map, found \(node.kindOfValue)")
            return node
        }
        var result = NodeMap()
        result.entries.reserveCapacity(map.entries.count + 4)
        for entry in map.entries {
            let place = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            guard let field = fields.first(where: { $0.name == entry.key }) else {
                report(entry.mark, place, "unknown field\(Suggestion.text(for: entry.key, among: fields.map(\.name)))")
                continue
            }
            if let refusal = field.refusal {
                report(entry.mark, place, "\(field.name) \(refusal)")
                continue
            }
            if entry.value.isNull, case .anything = field.shape {
            } else if entry.value.isNull {
                continue  // null is "not set", as in Kubernetes
            }
            result.entries.append(
                NodeMap.Entry(
                    key: entry.key, mark: entry.mark, value: value(entry.value, field.shape, path: place, fill: fill)))
        }
        for field in fields where result[field.name] == nil {
            let place = path.isEmpty ? field.name : "\(path).\(field.name)"
            if field.required, fill {
                report(node.mark, place, "required field is missing")
            } else if fill, let fallback = field.fallback {
                result[field.name] = value(fallback, field.shape, path: place, fill: true)
            }
        }
        return Node(.map(result), mark: node.mark)
    }

    private mutating func value(_ node: Node, _ shape: Shape, path: String, fill: Bool) -> Node {
        switch shape {
        case .anything: return node
        case .string(let rule): text(node, rule, path)
        case .integer(let range):
            guard let number = node.int, range.contains(Int64(number)) else {
                report(
                    node.mark, path,
                    "expected an integer from \(range.lowerBound) to \(range.upperBound), found \(shown(node))")
                return node
            }
        case .number(let range):
            guard let number = node.double, range.contains(number) else {
                report(
                    node.mark, path,
                    "expected a number from \(trimmed(range.lowerBound)) to \(trimmed(range.upperBound)), found \(shown(node))"
                )
                return node
            }
        case .boolean:
            if node.bool == nil { report(node.mark, path, "expected true or false, found \(shown(node))") }
        case .quantity(let rule):
            let fine = rule == .cpu ? Quantity.milli(node) : Quantity.units(node)
            if fine == nil {
                let example = rule == .cpu ? "250m or 1.5" : "128Mi or 1Gi"
                report(node.mark, path, "expected a quantity such as \(example), found \(shown(node))")
            }
        case .enumeration(let words):
            if node.string.map(words.contains) != true {
                let hint = node.string.map { Suggestion.text(for: $0, among: words) } ?? ""
                report(node.mark, path, "expected \(words.joined(separator: ", ")); found \(shown(node))\(hint)")
            }
        case .list(let item, let longest, let nonEmpty):
            return list(node, item, longest, nonEmpty, path)
        case .strings(let keys, let values):
            strings(node, keys, values, path)
        case .object(let fields):
            return object(node, fields, path: path, fill: fill)
        case .union(let fields):
            if let map = node.map, map.entries.count != 1 {
                report(node.mark, path, "expected exactly one of \(fields.map(\.name).joined(separator: ", "))")
            }
            return object(node, fields, path: path, fill: fill)
        }
        return node
    }

    private mutating func list(_ node: Node, _ item: Shape, _ longest: Int, _ nonEmpty: Bool, _ path: String) -> Node {
        guard let items = node.list else {
            report(node.mark, path, "expected a list, found \(shown(node))")
            return node
        }
        if items.count > longest { report(node.mark, path, "more than \(longest) items") }
        if nonEmpty, items.isEmpty { report(node.mark, path, "must not be empty") }
        var checked: [Node] = []
        checked.reserveCapacity(items.count)
        for (index, element) in items.enumerated() {
            checked.append(value(element, item, path: "\(path)[\(index)]", fill: true))
        }
        return Node(.list(checked), mark: node.mark)
    }

    private mutating func text(_ node: Node, _ rule: StringRule, _ path: String) {
        guard let text = node.string else {
            let hint = node.map == nil && node.list == nil && !node.isNull ? "; put it in quotes" : ""
            return report(node.mark, path, "expected a string, found \(shown(node))\(hint)")
        }
        if text.utf8.contains(0) { return report(node.mark, path, "must not contain a NUL character") }
        if let problem = rule.problem(with: text) { report(node.mark, path, problem) }
    }

    private mutating func strings(_ node: Node, _ keys: StringRule, _ values: StringRule, _ path: String) {
        guard let map = node.map else { return report(node.mark, path, "expected a map, found \(shown(node))") }
        for entry in map.entries {
            if let problem = keys.problem(with: entry.key) { report(entry.mark, path, problem) }
            text(entry.value, values, "\(path).\(entry.key)")
        }
    }

    private func trimmed(_ number: Double) -> String {
        number == number.rounded() ? String(Int64(number)) : String(number)
    }

    private func shown(_ node: Node) -> String {
        switch node.value {
        case .string(let text): text.count > 60 ? "a string" : "\"\(text)\""
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .bool(let flag): String(flag)
        case .null, .list, .map: node.kindOfValue
        }
    }
}
