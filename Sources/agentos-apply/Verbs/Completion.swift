import HTTPClient
import Manifests
import Values

struct Completion: Verb {
    static let name = "completion"
    static let usage = "completion bash|zsh|fish"
    static let text = "Print what makes a shell complete verbs, options, kinds and names."
    static let operands = Operands.words(Shell.allCases.map(\.rawValue))

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 1, let shell = Shell(rawValue: invocation.words[0]) else {
            throw invocation.usage("expected one of \(Shell.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        try Terminal.print(shell.script)
        return .success
    }
}

/// What the scripts of `completion` call at each press of the key: says what fits, or nothing; never why.
struct Complete: Verb {
    static let name = "__complete"
    static let usage = "__complete SHELL WORD…"
    static let text = "For the scripts of completion."
    static let wordsBeforeCommand: Int? = 0

    /// The longest that a key may take with a daemon.
    private static let daemonMs: Int64 = 50
    private static let namesMax = 500

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let first = invocation.words.first, let shell = Shell(rawValue: first) else { return .success }
        let (words, cut) = shell.joined(Array(invocation.words.dropFirst()))
        let candidates: [Completer.Candidate]
        switch Completer(words).wanted {
        case .candidates(let found): candidates = found
        case .files:
            // A sign for the script, in no shell's own writing.
            try Terminal.print(Shell.files)
            return .success
        case .names(let kind, let namespace, let prefix):
            let names = (try? names(kind, namespace, words)) ?? []
            candidates = names.map { Completer.Candidate(prefix + $0) }.filter { $0.word.hasPrefix(words.last ?? "") }
        }
        let lines = candidates.map { candidate in
            shell.line(Completer.Candidate(String(candidate.word.dropFirst(cut)), candidate.text)) + "\n"
        }
        if !lines.isEmpty { try Terminal.print(lines.joined()) }
        return .success
    }

    /// Names that the daemon knows, without all else of the objects.
    private func names(_ kind: Kind, _ namespace: String?, _ words: [String]) throws -> [String] {
        // Which daemon is meant may stand among the words.
        var leading = try Invocation(verb: Help(), words: Self.connection(words))
        try leading.findServer()
        let session = try leading.session()
        var request = Client.Request(
            "GET", Session.path(kind, namespace: namespace), query: [("limit", String(Self.namesMax))])
        request.headers = ["Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"]
        request.timeoutMs = Self.daemonMs
        return try session.node(session.send(request)).items().map { ObjectView($0).name }
    }

    private static func connection(_ words: [String]) -> [String] {
        let names = ConnectionOptions().options.map { "--\($0.description.name)" }
        return words.indices.flatMap { index -> [String] in
            let word = words[index]
            if names.contains(word), index + 1 < words.count { return [word, words[index + 1]] }
            return names.contains { word.hasPrefix("\($0)=") } ? [word] : []
        }
    }
}
