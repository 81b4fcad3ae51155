import Values

extension Shape {
    /// What was expected, when a node is no value of this shape; what lies below a map or a list is not looked at.
    func problem(with node: Node) -> String? {
        switch self {
        case .anything: nil
        case .string(let rule): Self.problem(with: node, rule)
        case .driver: Self.problem(with: node, .nonEmpty)
        case .integer(let range):
            if case .int(let number) = node.value, range.contains(number) {
                nil
            } else {
                "expected an integer from \(range.lowerBound) to \(range.upperBound), found \(Self.shown(node))"
            }
        case .number(let range):
            if let number = node.double, range.contains(number) {
                nil
            } else {
                "expected a number from \(Self.trimmed(range.lowerBound)) to \(Self.trimmed(range.upperBound)), "
                    + "found \(Self.shown(node))"
            }
        case .boolean: node.bool == nil ? "expected true or false, found \(Self.shown(node))" : nil
        case .quantity(let rule): Self.problem(with: node, rule)
        case .enumeration(let words): Self.problem(with: node, words)
        case .list: node.list == nil ? "expected a list, found \(Self.shown(node))" : nil
        case .strings, .object, .union:
            node.map == nil ? "expected a map, found \(Self.shown(node))" : nil
        }
    }

    private static func problem(with node: Node, _ rule: StringRule) -> String? {
        guard let text = node.string else {
            let hint = node.map == nil && node.list == nil && !node.isNull ? "; put it in quotes" : ""
            return "expected a string, found \(shown(node))\(hint)"
        }
        return text.utf8.contains(0) ? "must not contain a NUL character" : rule.problem(with: text)
    }

    private static func problem(with node: Node, _ rule: QuantityRule) -> String? {
        guard let value = rule.value(of: node) else {
            return "expected \(rule.words), found \(shown(node))"
        }
        return rule.range.contains(value)
            ? nil : "expected \(rule.words), at most \(rule.most); found \(shown(node))"
    }

    static func problem(with node: Node, _ words: [String]) -> String? {
        if let word = node.string, words.contains(word) { return nil }
        let hint = node.string.map { Suggestion.text(for: $0, among: words) } ?? ""
        return "expected \(words.joined(separator: ", ")); found \(shown(node))\(hint)"
    }

    private static func trimmed(_ number: Double) -> String {
        number == number.rounded()
            ? String(WholeNumber.nearest(number, in: .min ... .max)) : String(number)
    }

    private static func shown(_ node: Node) -> String {
        switch node.value {
        case .string(let text): text.count > 60 ? "a string" : "\"\(text)\""
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .bool(let flag): String(flag)
        case .null, .list, .map: node.kindOfValue
        }
    }
}
