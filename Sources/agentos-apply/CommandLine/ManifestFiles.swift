import Drivers
import Manifests
import Values

/// Reads the manifests that a command line names.
enum ManifestFiles {
    /// All manifests, in the order in which they are applied; throws all their errors at once.
    static func read(_ options: ManifestOptions, _ invocation: Invocation, also more: [String] = []) throws
        -> [Manifest]
    {
        let names = options.paths + more
        if names.isEmpty { throw invocation.usage("no manifests: give -f PATH") }
        var set = ManifestSet(namespace: options.namespace ?? "default", drivers: .all)
        var count = 0
        for name in names {
            for path in try files(name, isRecursive: options.isRecursive) {
                count += 1
                if count > Limits.filesMax { throw CommandProblem(.invalid, "more than \(Limits.filesMax) files") }
                set.read(try LocalFile.read(path, limit: Limits.inputBytesMax), file: path == "-" ? "<stdin>" : path)
            }
        }
        return try ordered(set)
    }

    /// The manifests of one file, with the namespace of those that name none.
    static func read(_ path: String, namespace: String) throws -> [Manifest] {
        var set = ManifestSet(namespace: namespace, drivers: .all)
        set.read(try LocalFile.read(path, limit: Limits.inputBytesMax), file: path)
        return try ordered(set)
    }

    private static func ordered(_ set: ManifestSet) throws -> [Manifest] {
        do throws(ManifestSet.Errors) { return try set.ordered() } catch {
            let total = error.diagnostics.total
            let count = "\(total) error\(total == 1 ? "" : "s"); nothing was applied."
            Terminal.note(error.lines.map { $0 + "\n" }.joined() + count)
            throw Silent(code: .invalid)
        }
    }

    private static func files(_ name: String, isRecursive: Bool) throws -> [String] {
        guard LocalFile.isDirectory(name) else { return [name] }
        var result: [String] = []
        for entry in LocalFile.names(in: name) {
            let path = "\(name)/\(entry)"
            if LocalFile.isDirectory(path) {
                if isRecursive { result += try files(path, isRecursive: true) }
            } else if [".yaml", ".yml", ".json"].contains(where: entry.hasSuffix) {
                result.append(path)
            }
        }
        if result.isEmpty, !isRecursive {
            throw CommandProblem(
                .invalid, "\(name): no .yaml, .yml or .json file in this directory (use -R for the directories below)")
        }
        return result
    }
}

/// The kind behind a word of the command line.
func kind(_ word: String, _ invocation: Invocation) throws -> Kind {
    if let kind = Kind.named(word) { return kind }
    let words = Kind.allCases.flatMap { [$0.singular, $0.resource] }
    let known = Kind.allCases.map(\.singular).joined(separator: ", ")
    let hint = KubectlWords.hint(kind: word) ?? Suggestion.text(for: word, among: words)
    throw invocation.usage("unknown kind \"\(word)\": expected \(known)\(hint)")
}
