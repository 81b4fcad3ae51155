import Glibc
import Manifests
import Values

/// Where the settings of a daemon come from, and what they come to.
package struct ResolvedSettings {
    package private(set) var settings = Settings()
    /// Where a setting was found, by its name; not there: nowhere.
    private var origins: [String: String] = [:]

    /// Options win over variables of the environment, which a daemon that was started in the background inherits, and
    /// these over the file.
    ///
    /// - Parameter options: the words that were given, by the name of the setting.
    package init(
        file: SettingsFile? = nil, environment: (String) -> String?, options: [String: [String]] = [:]
    ) throws(CommandProblem) {
        for setting in Settings.table {
            let name = setting.name
            if let words = options[name] {
                try take(setting, words, origin: "--\(name)", .usage)
            } else if let text = environment(setting.variable) {
                try take(setting, setting.words(inVariable: text), origin: setting.variable, .usage)
            } else if let (node, mark) = file?.value(of: setting) {
                let place = "\(file?.path ?? ""):\(mark.line):\(mark.column): \(setting.field.name)"
                try take(setting, setting.words(inFile: node), origin: place, .invalid)
            }
        }
        if let file, !file.sinks.isEmpty {
            settings.sinks = file.sinks
            origins[SinkSetting.field.name] = file.path
        }
    }

    private mutating func take(
        _ setting: Setting, _ words: [String], origin: String, _ code: ExitCode
    ) throws(CommandProblem) {
        do throws(Mistake) { try setting.apply(words, to: &settings) } catch {
            throw CommandProblem(code, "\(origin): \(error.message)")
        }
        origins[setting.name] = origin
    }

    /// A settings file that says the same, and where each line of it comes from.
    package var text: String { text(hiding: []) }

    /// - Parameter hidden: the names of settings whose values are not shown.
    func text(hiding hidden: Set<String>) -> String {
        Settings.table.map { setting in
            let origin = origins[setting.name] ?? "default"
            guard let node = setting.node(settings) else { return "# \(setting.field.name): not set\n" }
            if hidden.contains(setting.name) { return "# \(origin)\n# \(setting.field.name): (hidden)\n" }
            return "# \(origin)\n" + YAMLWriter.text(.map([(setting.field.name, node)]))
        }.joined() + sinksText(hidden)
    }

    private func sinksText(_ hidden: Set<String>) -> String {
        let name = SinkSetting.field.name
        guard !settings.sinks.isEmpty else { return "# \(name): not set\n" }
        if hidden.contains(name) { return "# \(origins[name] ?? "default")\n# \(name): (hidden)\n" }
        return "# \(origins[name] ?? "default")\n" + YAMLWriter.text(.map([(name, .list(settings.sinks.map(\.node)))]))
    }
}

/// Where the settings of this process are read, once or again while it runs.
struct SettingsReader: Sendable {
    /// The file of `--config`; nil: the usual one when it is there.
    var config: String?
    /// The words of options, by the name of the setting.
    var options: [String: [String]]

    func resolve() throws(CommandProblem) -> ResolvedSettings {
        try ResolvedSettings(file: file(), environment: Paths.environment, options: options)
    }

    /// The file that is read; nil when there is none.
    func file() throws(CommandProblem) -> SettingsFile? {
        do { return try SettingsFile.find(config, isRoot: getuid() == 0) } catch let problem as CommandProblem {
            throw problem
        } catch { throw CommandProblem(.failure, "\(error)") }
    }
}

/// A settings file: one YAML map of the fields of the table, read as strictly as a manifest.
package struct SettingsFile {
    package let path: String
    private let node: Node
    package let sinks: [SinkSetting]

    /// - Throws: all that is wrong with the file, each with its place.
    package init(_ bytes: [UInt8], path: String) throws(CommandProblem) {
        self.path = path
        var diagnostics = Diagnostics()
        let documents = ManifestReader.documents(bytes, file: path, diagnostics: &diagnostics).filter { !$0.isNull }
        if documents.count > 1 {
            diagnostics.add(
                Diagnostic(file: path, mark: documents[1].mark, path: "", message: "expected one document, found more"))
        }
        var validator = Validator(file: path, drivers: .none)
        node = validator.check(
            documents.first ?? .emptyMap, fields: Settings.table.map(\.field) + [SinkSetting.field])
        diagnostics.add(validator.diagnostics)
        // What is wrong with its fields would be told twice.
        sinks = diagnostics.isEmpty ? SinkSetting.read(node[SinkSetting.field.name], file: path, &diagnostics) : []
        if !diagnostics.isEmpty {
            throw CommandProblem(.invalid, diagnostics.kept.map(\.description).joined(separator: "\n"))
        }
    }

    fileprivate func value(of setting: Setting) -> (Node, Mark)? {
        node[setting.field.name].map { ($0, $0.mark) }
    }

    /// The file of `--config`, or the usual one when it is there.
    static func find(_ given: String?, isRoot: Bool) throws -> SettingsFile? {
        if let given {
            return try SettingsFile(LocalFile.read(given, limit: Limits.inputBytesMax), path: given)
        }
        let home = Paths.environment("HOME").map { "\($0)/.config" }
        let base = isRoot ? "/etc" : Paths.environment("XDG_CONFIG_HOME") ?? home
        guard let base else { return nil }
        let path = "\(base)/agentos/daemon.yaml"
        guard LocalFile.exists(path) else { return nil }
        return try SettingsFile(LocalFile.read(path, limit: Limits.inputBytesMax), path: path)
    }
}
