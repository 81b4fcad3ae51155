import Values

/// A stored map beside the description of its fields.
///
/// Guarantee: reading ends for every node. A field that is absent has the default of its description. A field that the
/// description refuses, as a store of another version may hold it, is read as the nearest value that the description
/// allows, and the first such field is kept in `problems`.
struct FieldReader {
    /// What the description refuses; shared by the readers of one object.
    final class Problems {
        private(set) var first: String?

        fileprivate func add(_ path: String, _ text: String) { first = first ?? "\(path): \(text)" }
    }

    let problems: Problems
    private let node: Node?
    private let fields: [Field]
    private let path: String

    init(_ node: Node, _ fields: [Field], path: String) {
        self.init(node, fields, path: path, problems: Problems())
    }

    private init(_ node: Node?, _ fields: [Field], path: String, problems: Problems) {
        self.node = node
        self.fields = fields
        self.path = path
        self.problems = problems
    }

    // MARK: Numbers

    func integer(_ name: String) -> Int64 { integerIfSet(name) ?? range(name).lowerBound }

    func integerIfSet(_ name: String) -> Int64? {
        guard let value = value(name) else { return nil }
        let range = range(name)
        guard case .int(let number) = value.value else { return range.lowerBound }
        return min(max(number, range.lowerBound), range.upperBound)
    }

    func count(_ name: String) -> Int { Int(clamping: integer(name)) }

    func number(_ name: String) -> Double {
        guard case .number(let range) = field(name).shape else { preconditionFailure("\(name) is no number") }
        guard let number = value(name)?.double, !number.isNaN else { return range.lowerBound }
        return min(max(number, range.lowerBound), range.upperBound)
    }

    /// Of a field that counts seconds.
    func milliseconds(_ name: String) -> Int64 {
        if case .number = field(name).shape { return WholeNumber.nearest(number(name) * 1000, in: 0 ... .max) }
        return integer(name).multipliedSaturated(by: 1000)
    }

    /// Of a field that is a time with its unit.
    func duration(_ name: String) -> Int64 {
        Durations.milliseconds(value(name)?.string) ?? Durations.milliseconds(field(name).fallback?.string) ?? 0
    }

    /// In the unit of the field's rule; what is no quantity is as large as the field can be.
    func quantityIfSet(_ name: String) -> Int64? {
        guard case .quantity(let rule) = field(name).shape else { preconditionFailure("\(name) is no quantity") }
        guard let value = value(name) else { return nil }
        return min(rule.value(of: value) ?? rule.range.upperBound, rule.range.upperBound)
    }

    private func range(_ name: String) -> ClosedRange<Int64> {
        guard case .integer(let range) = field(name).shape else { preconditionFailure("\(name) is no integer") }
        return range
    }

    // MARK: Words

    func flag(_ name: String) -> Bool { value(name)?.bool ?? false }

    func text(_ name: String) -> String { textIfSet(name) ?? "" }

    func textIfSet(_ name: String) -> String? { value(name)?.string }

    /// Of a field whose words are those of an enumeration.
    func word<Word: RawRepresentable>(_ name: String) -> Word where Word.RawValue == String {
        guard let word = wordIfSet(name) ?? field(name).fallback?.string.flatMap(Word.init) else {
            preconditionFailure("\(path).\(name) has no default")
        }
        return word
    }

    func wordIfSet<Word: RawRepresentable>(_ name: String) -> Word? where Word.RawValue == String {
        value(name)?.string.flatMap(Word.init)
    }

    func strings(_ name: String) -> [String] { value(name)?.list?.compactMap(\.string) ?? [] }

    // MARK: Maps and lists

    func has(_ name: String) -> Bool { value(name) != nil }

    /// The map behind a field; one without entries where the field is absent.
    func inner(_ name: String) -> FieldReader {
        FieldReader(value(name), inner(of: field(name).shape), path: "\(path).\(name)", problems: problems)
    }

    func innerIfSet(_ name: String) -> FieldReader? { has(name) ? inner(name) : nil }

    func items(_ name: String) -> [FieldReader] {
        guard case .list(let item, _, _) = field(name).shape else { preconditionFailure("\(name) is no list") }
        return (value(name)?.list ?? []).enumerated().map { index, node in
            FieldReader(node, inner(of: item), path: "\(path).\(name)[\(index)]", problems: problems)
        }
    }

    private func inner(of shape: Shape) -> [Field] {
        switch shape {
        case .object(let fields), .union(let fields): return fields
        case .string, .integer, .number, .boolean, .quantity, .enumeration, .driver, .list, .strings, .anything:
            preconditionFailure("\(path) is no map")
        }
    }

    // MARK: One field

    private func field(_ name: String) -> Field {
        guard let field = fields.first(where: { $0.name == name }) else {
            preconditionFailure("\(path).\(name) is not described")
        }
        return field
    }

    /// What stands in the field, or its default. A value that the description refuses is told.
    private func value(_ name: String) -> Node? {
        let field = field(name)
        guard let value = node?[name], !value.isNull else { return field.fallback }
        if let problem = field.shape.problem(with: value) { problems.add("\(path).\(name)", problem) }
        return value
    }
}
