import CLinux
import Glibc
import Machine
import Manifests
import Values

/// Runs the program `git` for one clone: with nothing of this machine's configuration, with the credentials of its Source,
/// and never beyond the limits of time and disk.
final class GitProgram {
    enum Failure: Error {
        /// Git itself said no.
        case refused(String)
        /// It had not ended in time.
        case late(String)
        case noRoom(String)

        var words: String {
            switch self {
            case .refused(let words), .late(let words), .noRoom(let words): words
            }
        }
    }

    private let directory: String
    var credentials: [String: [UInt8]]
    private let supervisor: String
    private let events: EventLoop
    /// How the repository is called in messages: without anything secret.
    private let shown: String

    init(
        directory: String, credentials: [String: [UInt8]], supervisor: String, events: EventLoop, shown: String
    ) {
        self.directory = directory
        self.credentials = credentials
        self.supervisor = supervisor
        self.events = events
        self.shown = shown
    }

    /// Writes what Git is given to read.
    func prepare() throws(Files.Failure) {
        // Nothing of this machine's configuration of Git has a say; and whose repository it is does not matter.
        let config = """
            [safe]
            \tdirectory = *
            [core]
            \thooksPath = /dev/null
            \tlogAllRefUpdates = false
            [gc]
            \tauto = 0
            [maintenance]
            \tauto = false
            [http]
            \tlowSpeedLimit = 1
            \tlowSpeedTime = 15

            """
        try Files.replace("\(directory)/gitconfig", Array(config.utf8))
        let ask = """
            #!/bin/sh
            case $1 in Username*) echo "$AGENTOS_GIT_USERNAME" ;; *) echo "$AGENTOS_GIT_PASSWORD" ;; esac

            """
        try Files.replace("\(directory)/askpass", Array(ask.utf8), mode: 0o700)
    }

    /// Runs one command; the result is what it prints.
    func run(_ words: [String], timeoutMs: Int64, _ done: @escaping (Result<String, Failure>) -> Void) {
        let keys = Keys(credentials)
        var environment = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(directory)", "LANG=C.UTF-8", "GIT_TERMINAL_PROMPT=0",
            "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=\(directory)/gitconfig", "GIT_ASKPASS=\(directory)/askpass",
            "GIT_SSH_COMMAND=\(keys.ssh)", "GIT_ALLOW_PROTOCOL=https:http:ssh:file",
        ]
        for (variable, key) in [("USERNAME", "username"), ("PASSWORD", "password")] {
            let value = String(decoding: credentials[key] ?? [], as: UTF8.self)
            environment.append("AGENTOS_GIT_\(variable)=\(value)")
        }
        let what = "git \(words.first == "-C" ? words[2] : words[0]) \(shown)"
        var timer: EventLoop.TimerID?
        var lack: String?
        var hasEnded = false
        let program = ChildProgram.run(
            ["git"] + words, environment: environment, timeoutMs: timeoutMs, supervisor: supervisor, events: events
        ) { [events] result in
            hasEnded = true
            if let timer { events.cancel(timer) }
            keys.remove()
            switch result.end {
            case .exited(0): done(.success(result.text))
            case .exited where lack == nil: done(.failure(.refused("\(what): \(result.complaint)")))
            case .exited: done(.failure(.noRoom("\(what): \(lack ?? "")")))
            case .timedOut: done(.failure(.late("\(what): no answer within \(timeoutMs / 1000) s")))
            case .unstarted(_, let why), .failed(let why):
                done(.failure(lack.map { .noRoom("\(what): \($0)") } ?? .late("\(what): \(why)")))
            }
        }
        func look() {
            timer = events.after(ms: 500) { [self] in
                lack = shortage(ofAll: false)
                if lack == nil { look() } else { program.cancel() }
            }
        }
        if !hasEnded { look() }
    }

    /// Why there is no room to go on; a repository never fills the disk that the store is on.
    ///
    /// - Parameter all: also what is checked out, which takes longer to measure.
    func shortage(ofAll all: Bool) -> String? {
        if Files.freeBytes(directory) < Limits.cloneFreeBytesMin {
            return "stopped: less than \(Limits.cloneFreeBytesMin >> 20) MiB are free where the clone lies"
        }
        let bytes = Files.treeBytes(all ? directory : "\(directory)/tree/.git/objects/pack")
        return bytes > Limits.cloneBytesMax ? "stopped: larger than \(Limits.cloneBytesMax >> 20) MiB" : nil
    }

    /// Keys for ssh: in memory, and only as long as a command of Git runs.
    private struct Keys {
        private let paths: [String]
        let ssh: String

        init(_ credentials: [String: [UInt8]]) {
            var words = [
                "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o",
                "ServerAliveCountMax=3", "-F", "/dev/null",
            ]
            var paths: [String] = []
            for (key, option) in [("identity", "IdentityFile"), ("known_hosts", "UserKnownHostsFile")] {
                guard let bytes = credentials[key] else { continue }
                let path = "/dev/shm/agentos-\(getpid())-\(UInt64.random(in: 0 ... .max))"
                guard (try? Files.replace(path, bytes)) != nil else { continue }
                paths.append(path)
                words += ["-o", "\(option)=\(path)"]
            }
            if credentials["identity"] != nil { words += ["-o", "IdentitiesOnly=yes"] }
            self.paths = paths
            ssh = words.joined(separator: " ")
        }

        func remove() { for path in paths { unlink(path) } }
    }
}
