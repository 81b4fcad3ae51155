import Drivers
import GitOps
import Glibc
import Manifests
import Planner
import Reconciler
import Synchronization
import Values

/// What the daemon's settings allow to Sources, and the directories that it watches by itself.
struct SourceOptions: Sendable {
    /// Directories of `--watch`, without a slash at the end.
    let watched: [String]
    private let paths: [String]
    private let secretPaths: [String]
    private let secretVariables: Set<String>

    init(_ settings: Settings) {
        watched = settings.watchedDirectories
        paths = settings.sourcePaths
        secretPaths = settings.secretPaths
        secretVariables = Set(settings.secretVariables)
    }

    func settings(state: String, supervisor: String) -> SourceWatcher.Settings {
        SourceWatcher.Settings(
            paths: paths + watched, secretPaths: secretPaths, secretVariables: secretVariables, drivers: .all,
            state: state, supervisor: supervisor)
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

/// Which Source may write to which namespaces, as the settings say at the moment.
final class SourceRules: Sendable {
    private let rules = Mutex<[SourceRule]>([])

    init(_ settings: Settings) { use(settings) }

    func use(_ settings: Settings) {
        rules.withLock { $0 = settings.sourceNamespaces.compactMap(SourceRule.init) }
    }

    func mayWrite(_ source: ObjectKey, _ namespace: String) -> Bool {
        namespace == source.namespace
            || rules.withLock { $0.contains { $0.allows("\(source.namespace)/\(source.name)", namespace) } }
    }
}

/// `default/fleet=team-a,team-b`: a Source, or `*`, and the namespaces that it may write to, or `*`.
package struct SourceRule {
    private let source: String
    private let targets: Set<String>

    package init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts[0] == "*" || parts[0].split(separator: "/").count == 2, !parts[1].isEmpty
        else { return nil }
        source = parts[0]
        targets = Set(parts[1].split(separator: ",").map(String.init))
    }

    package func allows(_ name: String, _ namespace: String) -> Bool {
        (source == "*" || source == name) && (targets.contains("*") || targets.contains(namespace))
    }
}
