import Values

/// What a value of a query may look like.
public enum ParameterForm: Sendable, Equatable {
    case integer(ClosedRange<Int64>)
    case flag
    case word([String])
    case text(bytesMax: Int)
    /// Any texts without zero bytes, as often as they are given.
    case list(countMax: Int, bytesMax: Int)
}

/// A value that a query may carry: its name, its form, and how it is read.
public struct Parameter<Value: Sendable>: AnyParameter {
    public let name: String
    public let form: ParameterForm
    fileprivate let convert: @Sendable (Raw) -> Value?

    fileprivate init(_ name: String, _ form: ParameterForm, _ convert: @escaping @Sendable (Raw) -> Value?) {
        self.name = name
        self.form = form
        self.convert = convert
    }
}

/// A parameter of any type, as tables of routes list them.
public protocol AnyParameter: Sendable {
    var name: String { get }
    var form: ParameterForm { get }
}

extension Parameter where Value == Int64 {
    /// A whole number within a range.
    public static func integer(_ name: String, _ range: ClosedRange<Int64>) -> Parameter {
        Parameter(name, .integer(range)) { if case .integer(let number) = $0 { number } else { nil } }
    }
}

extension Parameter where Value == Bool {
    /// `true`, `1` or nothing behind the name; `false` or `0`.
    public static func flag(_ name: String) -> Parameter {
        Parameter(name, .flag) { if case .flag(let flag) = $0 { flag } else { nil } }
    }
}

extension Parameter where Value == String {
    /// Any text without control characters.
    public static func text(_ name: String, bytesMax: Int = 4096) -> Parameter {
        Parameter(name, .text(bytesMax: bytesMax)) { if case .text(let text) = $0 { text } else { nil } }
    }

    /// One of some words.
    public static func word(_ name: String, _ words: [String]) -> Parameter {
        Parameter(name, .word(words)) { if case .text(let text) = $0 { text } else { nil } }
    }
}

extension Parameter where Value == [String] {
    /// Texts that may hold anything but zero bytes: the name comes once for each.
    public static func list(_ name: String, countMax: Int, bytesMax: Int) -> Parameter {
        Parameter(name, .list(countMax: countMax, bytesMax: bytesMax)) {
            if case .list(let texts) = $0 { texts } else { nil }
        }
    }
}

/// A query that was found to be what its route allows.
public struct Parameters: Sendable {
    private var values: [(name: String, value: Raw)] = []
    private let allowed: [any AnyParameter]

    /// Reads a query; throws at the first value that its parameter does not allow, and at a name that is none.
    public init(_ query: [(name: String, value: String)], allowed: [any AnyParameter]) throws(ParameterProblem) {
        self.allowed = allowed
        for (name, text) in query {
            guard let parameter = allowed.first(where: { $0.name == name }) else {
                throw ParameterProblem(name: name, message: "is not a parameter of this request")
            }
            guard let value = Raw(text, parameter.form) else {
                throw ParameterProblem(
                    name: name, message: "expected \(parameter.form.words), found \"\(text.prefix(64))\"")
            }
            guard let known = values.firstIndex(where: { $0.name == name }) else {
                values.append((name, value))
                continue
            }
            if case .list(let texts) = value, case .list(let earlier) = values[known].value {
                guard let both = Raw(earlier + texts, parameter.form) else {
                    throw ParameterProblem(name: name, message: "is given too often: \(parameter.form.words)")
                }
                values[known].value = both
            } else if values[known].value != value {
                throw ParameterProblem(name: name, message: "is given twice")
            }
        }
    }

    /// The value, nil when the query does not have it. An empty text is none.
    public subscript<Value>(_ parameter: Parameter<Value>) -> Value? {
        assert(
            allowed.contains { $0.name == parameter.name }, "a route reads \(parameter.name) and does not list it")
        return values.first { $0.name == parameter.name }.flatMap { parameter.convert($0.value) }
    }

    /// Whether a flag is set.
    public func has(_ flag: Parameter<Bool>) -> Bool { self[flag] ?? false }
}

/// What is wrong with a query: a name, and why it is refused.
public struct ParameterProblem: Error, Sendable, Equatable {
    public var name: String
    public var message: String
}

/// A value as its form reads it.
private enum Raw: Sendable, Equatable {
    case integer(Int64)
    case flag(Bool)
    case text(String)
    case list([String])
    case none

    init?(_ texts: [String], _ form: ParameterForm) {
        guard case .list(let countMax, _) = form, texts.count <= countMax else { return nil }
        self = .list(texts)
    }

    init?(_ text: String, _ form: ParameterForm) {
        switch form {
        case .integer(let range):
            guard let number = WholeNumber.read(text, in: range) else { return nil }
            self = .integer(number)
        case .flag:
            // Clients in Python write True and False.
            switch text.lowercased() {
            case "", "true", "1": self = .flag(true)
            case "false", "0": self = .flag(false)
            default: return nil
            }
        case .word(let words):
            if text.isEmpty { self = .none } else if words.contains(text) { self = .text(text) } else { return nil }
        case .text(let bytesMax):
            guard text.utf8.count <= bytesMax, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
            self = text.isEmpty ? .none : .text(text)
        case .list(_, let bytesMax):
            guard text.utf8.count <= bytesMax, !text.utf8.contains(0) else { return nil }
            self = .list([text])
        }
    }
}

extension ParameterForm {
    fileprivate var words: String {
        switch self {
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .flag: "true or false"
        case .word(let words): words.joined(separator: " or ")
        case .text(let bytesMax): "at most \(bytesMax) bytes without control characters"
        case .list(let countMax, let bytesMax):
            "at most \(countMax) texts of at most \(bytesMax) bytes without zero bytes"
        }
    }
}
