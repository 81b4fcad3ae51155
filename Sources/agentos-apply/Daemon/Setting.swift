package import Manifests
import Values

/// One setting: its option, its variable, its field in the file, and how its words are read.
package struct Setting: Sendable {
    package let option: OptionDescription
    /// In the settings file.
    package let field: Field
    /// A running daemon can take another value.
    package let reloads: Bool
    /// What parts several values in a variable; nil: there is one value, and the last word wins.
    private let separator: Character?
    private let set: @Sendable (inout Settings, [String]) throws(Mistake) -> Void
    private let get: @Sendable (Settings) -> Node?

    package var name: String { option.name }
    package var variable: String { "AGENTOS_" + name.uppercased().replacing("-", with: "_") }

    package typealias Rule = @Sendable (String) throws(Mistake) -> String

    /// The value of a daemon that is told nothing, as the settings file would say it.
    var fallback: Node? { self.get(Settings()) }

    func apply(_ words: [String], to settings: inout Settings) throws(Mistake) { try set(&settings, words) }

    func words(inVariable text: String) -> [String] {
        separator.map { text.split(separator: $0).map(String.init) } ?? [text]
    }

    func words(inFile node: Node) -> [String] {
        node.list?.compactMap(\.string) ?? [node.scalarText].compactMap(\.self)
    }

    /// As the settings file would say it; nil when it says nothing.
    func node(_ settings: Settings) -> Node? { get(settings) }

    static func text(
        _ name: String, _ field: String, value: String, _ path: WritableKeyPath<Settings, String> & Sendable,
        _ text: String, reloads: Bool = false, read: @escaping Rule = { $0 }
    ) -> Setting {
        Setting(
            option: OptionDescription(name, value: value, text), field: Field(field, .string(.nonEmpty), text: text),
            reloads: reloads, separator: nil,
            set: { settings, words throws(Mistake) in
                for word in words { settings[keyPath: path] = try read(word) }
            }, get: { .text($0[keyPath: path]) })
    }

    static func text(
        _ name: String, _ field: String, value: String, _ path: WritableKeyPath<Settings, String?> & Sendable,
        _ text: String, reloads: Bool = false, read: @escaping Rule = { $0 }
    ) -> Setting {
        Setting(
            option: OptionDescription(name, value: value, text), field: Field(field, .string(.nonEmpty), text: text),
            reloads: reloads, separator: nil,
            set: { settings, words throws(Mistake) in
                for word in words { settings[keyPath: path] = try read(word) }
            }, get: { $0[keyPath: path].map(Node.text) })
    }

    static func number(
        _ name: String, _ field: String, _ range: ClosedRange<Int>, _ path: WritableKeyPath<Settings, Int> & Sendable,
        _ text: String
    ) -> Setting {
        Setting(
            option: OptionDescription(name, value: "N", text),
            field: Field(field, .integer(Int64(range.lowerBound)...Int64(range.upperBound)), text: text),
            reloads: false, separator: nil,
            set: { settings, words throws(Mistake) in
                for word in words {
                    guard let number = WholeNumber.read(word, in: range) as Int? else {
                        throw Mistake("expected a number between \(range.lowerBound) and \(range.upperBound)")
                    }
                    settings[keyPath: path] = number
                }
            }, get: { .number($0[keyPath: path]) })
    }

    static func list(
        _ name: String, _ field: String, value: String, separator: Character = ":",
        _ path: WritableKeyPath<Settings, [String]> & Sendable, _ text: String, reloads: Bool = false,
        read: @escaping Rule = { $0 }
    ) -> Setting {
        Setting(
            option: OptionDescription(name, value: value, text),
            field: Field(field, .list(.string(.nonEmpty), max: 1000, nonEmpty: false), text: text),
            reloads: reloads, separator: separator,
            set: { settings, words throws(Mistake) in
                var values: [String] = []
                for word in words { values.append(try read(word)) }
                settings[keyPath: path] = values
            },
            get: { settings in
                let values = settings[keyPath: path]
                return values.isEmpty ? nil : .list(values.map(Node.text))
            })
    }
}

/// A setting as an option of the command line: its words are kept, to be read together with file and environment, and
/// to be passed on.
final class SettingOption: AnyOption {
    let setting: Setting
    private(set) var words: [String] = []

    init(_ setting: Setting) { self.setting = setting }

    var description: OptionDescription { setting.option }

    func take(_ word: String) throws(Mistake) { words.append(word) }
}

/// All settings as options, but for those that every verb has.
struct SettingOptions: OptionGroup {
    private let all = Settings.table.filter { $0.name != "state-dir" && $0.name != "socket" }.map(SettingOption.init)

    var options: [any AnyOption] { all }

    var words: [String: [String]] {
        Dictionary(uniqueKeysWithValues: all.filter { !$0.words.isEmpty }.map { ($0.setting.name, $0.words) })
    }

    /// The options as they were given, to pass them on.
    var passedOn: [String] { all.flatMap { option in option.words.flatMap { ["--\(option.setting.name)", $0] } } }
}
