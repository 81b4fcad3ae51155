import Glibc
import Machine
import Reconciler
import Storage
import Values

/// Where the keys of Secrets come from, as the settings say: a file of the daemon's own, one of the operator's, or a
/// program.
struct SecretKeySource {
    static func ring(_ settings: Settings, _ paths: Paths, supervisor: String) -> any SecretKeyring {
        if let command = settings.secretsKeyCommand { return GivenKeys(.command(command, supervisor: supervisor)) }
        if let file = settings.secretsKeyFile { return GivenKeys(.file(file)) }
        return SecretKeyFile("\(paths.state)/secrets.key")
    }
}

/// Keys that somebody else makes and keeps: lines of 64 hex digits, the newest first.
struct GivenKeys: SecretKeyring {
    enum Source: Sendable {
        case file(String)
        /// Run by /bin/sh; what it prints are the keys.
        case command(String, supervisor: String)
    }

    private static let commandMs: Int64 = 10_000
    private let source: Source

    init(_ source: Source) { self.source = source }

    var place: String {
        switch source {
        case .file(let path): path
        case .command: "what the key command prints"
        }
    }

    func read() throws(StoreFailure) -> SecretKeys? {
        switch source {
        case .file(let path): return try SecretKeyFile.keys(in: path)
        case .command(let words, let supervisor):
            guard let result = Self.run(words, supervisor) else { throw .fatal("the key command was not started") }
            guard case .exited(code: 0) = result.end else {
                throw .fatal("the key command failed: \(result.complaint)")
            }
            guard let keys = SecretKeys(text: result.text) else {
                throw .fatal("the key command does not print keys: expected lines of 64 hex digits, the newest first")
            }
            return keys
        }
    }

    func renew(after current: SealingKey?) throws(StoreFailure) -> SecretKeys {
        guard let keys = try read(), keys.current != current else {
            throw .fatal("\(place) begins with the key that is used already: put a new one before it, then rotate")
        }
        return keys
    }

    private static func run(_ words: String, _ supervisor: String) -> ChildProgram.Result? {
        let events = EventLoop()
        var result: ChildProgram.Result?
        ChildProgram.run(
            ["/bin/sh", "-c", words], environment: ["PATH=/usr/local/bin:/usr/bin:/bin"], timeoutMs: commandMs,
            supervisor: supervisor, events: events
        ) {
            result = $0
            events.stop()
        }
        events.run()
        return result
    }
}
