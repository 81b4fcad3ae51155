import CLinux
import Glibc
import Machine
import Manifests
import Reconciler
import Values

/// The daemon's own clone of one branch, kept by the program `git`.
final class GitClone {
    typealias Problem = AllowedPaths.Problem

    private let git: SourceSpec.Git
    private let directory: String
    private let credentials: [String: [UInt8]]
    private let allowed: AllowedPaths
    private let supervisor: String
    private let events: EventLoop
    private var repository: String { "\(directory)/tree" }

    private static let fetchMs: Int64 = 300_000

    init(
        _ git: SourceSpec.Git, directory: String, credentials: [String: [UInt8]], allowed: AllowedPaths,
        supervisor: String, events: EventLoop
    ) {
        self.git = git
        self.directory = directory
        self.credentials = credentials
        self.allowed = allowed
        self.supervisor = supervisor
        self.events = events
    }

    private var parent: String { String(directory[..<directory.lastIndex(of: "/")!]) }

    /// The checked out directory; a path never leads out of it (`..` is refused at apply).
    func tree(_ path: String) -> String { path == "." ? repository : "\(repository)/\(path)" }

    /// Removes this and what earlier specifications of the Source have left.
    func remove() { Files.removeTree(parent) }

    /// Fetches the branch and checks its commit out; `done` gets the commit.
    func update(_ done: @escaping (Result<String, Problem>) -> Void) {
        do throws(Problem) {
            if git.url.hasPrefix("file://") { _ = try allowed.resolve(String(git.url.dropFirst(7))) }
            try prepare()
        } catch { return done(.failure(error)) }
        let reference = "refs/remotes/source/head"
        let steps = [
            Files.exists("\(repository)/.git") ? [] : ["init", "-q", repository],
            [
                "-C", repository, "fetch", "-q", "--depth", "1", "--no-tags", "--force", "--", git.url,
                "+refs/heads/\(git.branch):\(reference)",
            ],
            ["-C", repository, "rev-parse", "--verify", "-q", "\(reference)^{commit}"],
        ]
        run(steps.filter { !$0.isEmpty }) { [self] result in
            guard case .success(let text) = result else { return done(result) }
            let commit = text.prefix { !$0.isWhitespace }
            if Files.text("\(repository)/.git/HEAD")?.prefix(commit.count) == commit,
                Files.text("\(directory)/checked-out")?.prefix(commit.count) == commit
            {
                return done(.success(String(commit)))
            }
            unlink("\(directory)/checked-out")
            let checkout = [
                ["-C", repository, "checkout", "-q", "--force", "--detach", String(commit)],
                ["-C", repository, "clean", "-qfdx"],
            ]
            run(checkout) { [self] result in
                guard case .success = result else { return done(result) }
                // Only a checkout that came to its end counts.
                try? Files.replace("\(directory)/checked-out", Array(commit.utf8))
                done(.success(String(commit)))
            }
        }
    }

    private func prepare() throws(Problem) {
        do throws(Files.Failure) {
            let parts = directory.split(separator: "/").map(String.init)
            for count in parts.count - 2...parts.count {
                try Files.makeDirectory("/" + parts.prefix(count).joined(separator: "/"))
            }
            // Nothing of this machine's configuration of Git has a say; and whose repository it is does not matter.
            try Files.replace("\(parent)/gitconfig", Array("[safe]\n\tdirectory = *\n".utf8))
            let ask = """
                #!/bin/sh
                case $1 in Username*) echo "$AGENTOS_GIT_USERNAME" ;; *) echo "$AGENTOS_GIT_PASSWORD" ;; esac

                """
            try Files.replace("\(parent)/askpass", Array(ask.utf8), mode: 0o700)
        } catch { throw Problem(message: error.words) }
        // A checkout that a crash cut off has left its lock.
        unlink("\(repository)/.git/index.lock")
        for name in ["shallow.lock", "FETCH_HEAD.lock"] { unlink("\(repository)/.git/\(name)") }
    }

    /// Runs commands of Git one after the other; the result is what the last prints.
    private func run(_ steps: [[String]], _ done: @escaping (Result<String, Problem>) -> Void) {
        guard let first = steps.first else { return done(.success("")) }
        let keys = Keys(credentials)
        var environment = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(directory)", "LANG=C.UTF-8", "GIT_TERMINAL_PROMPT=0",
            "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=\(parent)/gitconfig", "GIT_ASKPASS=\(parent)/askpass",
            "GIT_SSH_COMMAND=\(keys.ssh)", "GIT_ALLOW_PROTOCOL=https:http:ssh:file",
        ]
        for (variable, key) in [("USERNAME", "username"), ("PASSWORD", "password")] {
            let value = String(decoding: credentials[key] ?? [], as: UTF8.self)
            environment.append("AGENTOS_GIT_\(variable)=\(value)")
        }
        ChildProgram.run(
            ["git", "-c", "core.hooksPath=/dev/null"] + first, environment: environment, timeoutMs: Self.fetchMs,
            supervisor: supervisor, events: events
        ) { [self] result in
            keys.remove()
            guard case .exited(0) = result.end else {
                return done(.failure(Problem(message: "git \(verb(first)) \(git.url): \(result.complaint)")))
            }
            if steps.count == 1 { return done(.success(result.text)) }
            run(Array(steps.dropFirst()), done)
        }
    }

    private func verb(_ words: [String]) -> String { words.first == "-C" ? words[2] : words[0] }

    /// Keys for ssh: in memory, and only as long as a command of Git runs.
    private struct Keys {
        private let paths: [String]
        let ssh: String

        init(_ credentials: [String: [UInt8]]) {
            var words = ["ssh", "-o", "BatchMode=yes", "-F", "/dev/null"]
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
