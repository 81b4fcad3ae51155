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
        var manifests: [Manifest] = []
        var diagnostics = Diagnostics()
        var count = 0
        for name in names {
            for path in try files(name, isRecursive: options.isRecursive) {
                count += 1
                if count > Limits.filesMax { throw CommandProblem(.invalid, "more than \(Limits.filesMax) files") }
                manifests += ManifestReader.read(
                    try LocalFile.read(path, limit: Limits.inputBytesMax), file: path == "-" ? "<stdin>" : path,
                    namespace: options.namespace ?? "default", diagnostics: &diagnostics)
            }
        }
        refuseDoubles(manifests, &diagnostics)
        if !diagnostics.isEmpty {
            let total = "\(diagnostics.total) error\(diagnostics.total == 1 ? "" : "s"); nothing was applied."
            Terminal.note(text(diagnostics) + total)
            throw Silent(code: .invalid)
        }
        return manifests.enumerated().sorted { ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset) }
            .map(\.element)
    }

    private static func refuseDoubles(_ manifests: [Manifest], _ diagnostics: inout Diagnostics) {
        var places: [String: Manifest] = [:]
        for manifest in manifests {
            let id = "\(manifest.kind.rawValue)/\(manifest.namespace)/\(manifest.name)"
            guard let first = places.updateValue(manifest, forKey: id) else { continue }
            places[id] = first
            diagnostics.add(
                Diagnostic(
                    file: manifest.file, mark: manifest.mark, path: "metadata.name",
                    message:
                        "\(manifest.kind.rawValue) \"\(manifest.name)\" is declared twice; first in \(first.file):\(first.mark.line)"
                ))
        }
    }

    /// File by file, from the top of each.
    private static func text(_ diagnostics: Diagnostics) -> String {
        var order: [String: Int] = [:]
        for diagnostic in diagnostics.kept where order[diagnostic.file] == nil { order[diagnostic.file] = order.count }
        func place(_ diagnostic: Diagnostic) -> (Int, UInt32, UInt32) {
            (order[diagnostic.file] ?? 0, diagnostic.mark.line, diagnostic.mark.column)
        }
        let lines = diagnostics.kept.sorted { place($0) < place($1) }.map { $0.description + "\n" }
        let more = diagnostics.total - diagnostics.kept.count
        return lines.joined() + (more > 0 ? "… and \(more) more\n" : "")
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
    throw invocation.usage(
        "unknown kind \"\(word)\": expected \(Kind.allCases.map(\.singular).joined(separator: ", "))\(Suggestion.text(for: word, among: words))"
    )
}
