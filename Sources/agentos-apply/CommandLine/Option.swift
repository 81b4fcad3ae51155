import Values

/// How an option is written and what it means: for the parser, for help and for suggestions.
package struct OptionDescription: Sendable, Equatable {
    package var name: String
    package var short: Character?
    /// The name of its value in help; nil for a flag.
    package var value: String?
    package var text: String
    /// Values that a flag may have and that say the same as the flag alone.
    package var flagWords: [String] = []
    /// The words that a value may be, where they are few.
    package var choices: [String] = []

    package init(_ name: String, short: Character? = nil, value: String? = nil, _ text: String) {
        self.name = name
        self.short = short
        self.value = value
        self.text = text
    }
}

/// Why a value cannot be taken; the reader of the value does not know where it was written.
package struct Mistake: Error, Equatable {
    package var message: String

    package init(_ message: String) { self.message = message }
}

/// What the parser knows of an option.
package protocol AnyOption {
    var description: OptionDescription { get }

    /// Takes a value in, or, for a flag, that it was given.
    func take(_ word: String) throws(Mistake)
}

/// Options that several verbs share; by default those that it declares.
package protocol OptionGroup {
    var options: [any AnyOption] { get }
}

extension OptionGroup {
    package var options: [any AnyOption] { declaredOptions(of: self) }
}

/// The options that a verb or a group declares, in the order of their declaration.
func declaredOptions(of declaration: Any) -> [any AnyOption] {
    Mirror(reflecting: declaration).children.flatMap { child -> [any AnyOption] in
        if let option = child.value as? any AnyOption { return [option] }
        return (child.value as? any OptionGroup)?.options ?? []
    }
}

/// Where the parser leaves a value: a verb is a constant, its options are filled in once.
private final class Cell<Value> {
    var value: Value

    init(_ value: Value) { self.value = value }
}

/// An option with a value: `@Option("tail", value: "LINES", in: 0...9, "only the last lines") var tail: Int?`.
@propertyWrapper
package struct Option<Value>: AnyOption {
    package let description: OptionDescription
    private let cell: Cell<Value>
    private let read: (String, inout Value) throws(Mistake) -> Void

    package var wrappedValue: Value { cell.value }

    fileprivate init(
        _ description: OptionDescription, _ fallback: Value,
        _ read: @escaping (String, inout Value) throws(Mistake) -> Void
    ) {
        self.description = description
        cell = Cell(fallback)
        self.read = read
    }

    package func take(_ word: String) throws(Mistake) { try read(word, &cell.value) }
}

/// An option without a value.
@propertyWrapper
package struct Flag: AnyOption {
    package let description: OptionDescription
    private let cell = Cell(false)

    package var wrappedValue: Bool { cell.value }

    package init(_ name: String, short: Character? = nil, also words: [String] = [], _ text: String) {
        var description = OptionDescription(name, short: short, text)
        description.flagWords = words
        self.description = description
    }

    package func take(_ word: String) throws(Mistake) { cell.value = true }
}

extension Option where Value == String? {
    package init(_ name: String, short: Character? = nil, value: String, _ text: String) {
        self.init(OptionDescription(name, short: short, value: value, text), nil) { word, value in value = word }
    }
}

extension Option where Value == [String] {
    /// May be repeated.
    package init(_ name: String, short: Character? = nil, value: String, _ text: String) {
        self.init(OptionDescription(name, short: short, value: value, text), []) { word, values in values.append(word) }
    }
}

extension Option where Value == Int? {
    package init(_ name: String, value: String, in range: ClosedRange<Int>, _ text: String) {
        self.init(OptionDescription(name, value: value, text), nil) { word, value throws(Mistake) in
            guard let number = Int(word), range.contains(number) else {
                throw Mistake(
                    "expected a number from \(range.lowerBound) to \(range.upperBound), found \"\(word)\"")
            }
            value = number
        }
    }
}

/// A span of time in an option: `500ms`, `30s`, `5m`, `1h` or a bare number of seconds.
package struct Span: Equatable, Sendable {
    package var ms: Int64

    package init(ms: Int64) { self.ms = ms }
}

extension Option where Value == Span? {
    package init(_ name: String, value: String, _ text: String) {
        self.init(OptionDescription(name, value: value, text), nil) { word, value throws(Mistake) in
            guard let ms = Durations.milliseconds(Int64(word) == nil ? word : "\(word)s") else {
                throw Mistake("expected a time such as 30s or 5m, found \"\(word)\"")
            }
            value = Span(ms: ms)
        }
    }
}

/// The words that an option takes.
package protocol Choice: RawRepresentable<String>, CaseIterable {
    /// What is said of a word that is known from elsewhere and is none of these.
    static func refusal(_ word: String) -> String?
}

extension Choice {
    package static func refusal(_ word: String) -> String? { nil }

    static func read(_ word: String) throws(Mistake) -> Self {
        if let choice = Self(rawValue: word) { return choice }
        if let refusal = refusal(word) { throw Mistake(refusal) }
        let words = allCases.map(\.rawValue)
        throw Mistake(
            "expected \(words.joined(separator: ", ")); found \"\(word)\"\(Suggestion.text(for: word, among: words))")
    }
}

extension Option where Value: Choice {
    package init(wrappedValue: Value, _ name: String, short: Character? = nil, value: String, _ text: String) {
        var description = OptionDescription(name, short: short, value: value, text)
        description.choices = Value.allCases.map(\.rawValue)
        self.init(description, wrappedValue) { word, value throws(Mistake) in
            value = try Value.read(word)
        }
    }
}
