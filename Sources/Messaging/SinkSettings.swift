public import Manifests
public import Values

/// What is wrong with the settings of a sink, each with its place.
public struct SettingsMistakes: Error {
    public var diagnostics: [Diagnostic]
}

/// The settings of one kind of sink, as they stand in a file.
public protocol SinkSettings: Sendable, Equatable {
    /// What can be said, with its defaults and ranges.
    static var fields: [Field] { get }
    /// Reads what `fields` allows, with defaults filled in.
    init(_ node: Node)
    /// What is wrong across fields: the field, and what to write instead.
    var mistakes: [(field: String, message: String)] { get }
}

extension SinkSettings {
    /// Reads a map of settings.
    ///
    /// - Parameters:
    ///   - file: named in what is wrong.
    ///   - path: where the map stands in the file, such as `sinks[0].webhook`; empty: it is the file.
    /// - Throws: all that is wrong, with file, line, column and field.
    public static func read(_ node: Node, file: String, path: String = "") throws(SettingsMistakes) -> Self {
        var validator = Validator(file: file, drivers: .none)
        let checked = validator.check(node, fields: fields)
        func place(_ field: String) -> String {
            path.isEmpty || field.isEmpty ? path + field : "\(path).\(field)"
        }
        var found = validator.diagnostics.kept.map { diagnostic in
            var diagnostic = diagnostic
            diagnostic.path = place(diagnostic.path)
            return diagnostic
        }
        guard found.isEmpty else { throw SettingsMistakes(diagnostics: found) }
        let settings = Self(checked)
        found = settings.mistakes.map { field, message in
            Diagnostic(file: file, mark: checked.mark(of: field), path: place(field), message: message)
        }
        guard found.isEmpty else { throw SettingsMistakes(diagnostics: found) }
        return settings
    }
}

/// Values of fields that were checked, and have defaults.
struct CheckedFields {
    let node: Node

    func text(_ name: String) -> String { node[name]?.string ?? "" }
    func textIfSet(_ name: String) -> String? { node[name]?.string }
    func texts(_ name: String) -> [String] { node[name]?.list?.compactMap(\.string) ?? [] }
    func flag(_ name: String) -> Bool { node[name]?.bool ?? false }
    func count(_ name: String) -> Int { node[name]?.int ?? 0 }
    func milliseconds(_ name: String) -> Int64 { Durations.milliseconds(node[name]?.string) ?? 0 }
    func bytes(_ name: String) -> Int64 { node[name].flatMap(Quantity.units) ?? 0 }
}

/// Rules that several kinds of sinks have.
enum SettingRule {
    /// Of a time; what is outside is told in these words.
    static func time(_ field: String, _ ms: Int64, _ range: ClosedRange<Int64>, _ words: String)
        -> (field: String, message: String)?
    {
        range.contains(ms) ? nil : (field, "must be between \(words)")
    }

    /// Of a number of bytes.
    static func bytes(_ field: String, _ bytes: Int64, _ range: ClosedRange<Int64>, _ words: String)
        -> (field: String, message: String)?
    {
        range.contains(bytes) ? nil : (field, "must be between \(words)")
    }

    static let source = Field(
        "source", .string(.line), fallback: "/agentos",
        text: "who tells, as the field source of CloudEvents: a URI, or a path such as /agentos/machine-1")

    /// What an empty source is told.
    static func source(_ text: String) -> (field: String, message: String)? {
        !text.isEmpty && text.utf8.count <= 256 && !text.utf8.contains(0x20)
            ? nil : ("source", "must be a URI or a path, without blanks, of at most 256 bytes")
    }
}
