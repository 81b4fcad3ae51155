import GitOps
import Glibc
import Manifests
import Planner
import Reconciler
import Values

/// What the daemon's options allow to Sources, and the directories that it watches by itself.
struct SourceOptions: Sendable {
    /// Directories of `--watch`, without a slash at the end.
    let watched: [String]
    private let paths: [String]
    private let secretPaths: [String]
    private let secretVariables: Set<String>
    /// `namespace/name` of a Source, or `*`, to the namespaces that it may write to, or `*`.
    private let namespaces: [(source: String, targets: Set<String>)]

    static let options = [
        Option("watch", value: "DIR", "keep what is declared in a directory true; may be repeated"),
        Option("source-path", value: "DIR", "directory below which Sources may name paths; may be repeated"),
        Option(
            "source-namespaces", value: "SOURCE=NAMES",
            "namespaces beside its own that a Source may write to, as default/fleet=team-a,team-b; * for all; may be repeated"
        ),
        Option("secret-path", value: "DIR", "directory below which Secrets of Sources may name files; may be repeated"),
        Option(
            "secret-environment", value: "NAME",
            "variable of the daemon that Secrets of Sources may name; may be repeated"),
    ]

    init(_ invocation: Invocation) throws {
        func given(_ option: String, separator: Character) -> [String] {
            let words = invocation.all(option)
            if !words.isEmpty { return words }
            let variable = "AGENTOS_" + option.uppercased().replacing("-", with: "_")
            return (Paths.environment(variable) ?? "").split(separator: separator).map(String.init)
        }
        func directories(_ option: String) -> [String] {
            given(option, separator: ":").map(Paths.absolute).map { path in
                path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
            }
        }
        watched = directories("watch")
        paths = directories("source-path")
        secretPaths = directories("secret-path")
        secretVariables = Set(given("secret-environment", separator: ":"))
        namespaces = try given("source-namespaces", separator: ";").map { text in
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts[0] == "*" || parts[0].split(separator: "/").count == 2, !parts[1].isEmpty
            else {
                throw invocation.usage(
                    "--source-namespaces: expected NAMESPACE/NAME=NAMESPACE,… or *=*, found \"\(text)\"")
            }
            return (parts[0], Set(parts[1].split(separator: ",").map(String.init)))
        }
    }

    func settings(state: String, supervisor: String) -> SourceWatcher.Settings {
        SourceWatcher.Settings(
            paths: paths + watched, secretPaths: secretPaths, secretVariables: secretVariables, state: state,
            supervisor: supervisor)
    }

    func mayWrite(_ source: ObjectKey, _ namespace: String) -> Bool {
        namespace == source.namespace
            || namespaces.contains { rule in
                (rule.source == "*" || rule.source == "\(source.namespace)/\(source.name)")
                    && (rule.targets.contains("*") || rule.targets.contains(namespace))
            }
    }

    /// The Sources that `--watch` stands for.
    var sources: [(name: String, path: String)] {
        var names: Set<String> = []
        return watched.map { path in
            let base = String(
                (path.split(separator: "/").last ?? "root").lowercased().map { letter in
                    letter.isASCII && (letter.isLetter || letter.isNumber) ? letter : "-"
                }.prefix(40))
            var name = "watch-\(base)"
            while name.hasSuffix("-") { name.removeLast() }
            var number = 2
            let first = name
            while !names.insert(name).inserted {
                name = "\(first)-\(number)"
                number += 1
            }
            return (name, path)
        }
    }
}
