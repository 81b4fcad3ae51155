import CLinux
import Glibc
import Machine
import Manifests
import Reconciler
import Values

/// The daemon's own clone of one branch, kept by the program `git`.
///
/// Guarantee: a clone that is damaged is made anew; it keeps to the limits of its disk.
final class GitClone {
    typealias Problem = AllowedPaths.Problem

    /// A commit that is checked out.
    struct Checkout: Sendable {
        var commit: String
        /// Paths in the repository where another repository belongs.
        var submodules: Set<String>
    }

    /// What an update does next; each step is one command of Git.
    private enum Step {
        /// Which commit the branch has: a server that does not answer is found out here.
        case ask
        /// Whether what is checked out is still so.
        case verify(String)
        case initialize(String)
        case fetch(String)
        /// The branch may have moved between question and fetch.
        case resolve
        case checkOut(String)
        case clean(String)
        case findSubmodules(String)
        /// Forgets the commits before.
        case compact(Checkout)
    }

    /// An update under way.
    private struct Update {
        var tell: (String) -> Void
        var done: (Result<Checkout, Problem>) -> Void
        /// There was no clone before, or it was made anew already.
        var isNew: Bool
    }

    private let url: String
    private let branch: String
    private let directory: String
    private let discard: (String) -> Void
    private let program: GitProgram
    private var repository: String { "\(directory)/tree" }
    private var marker: String { "\(directory)/checked-out" }
    private var work: Update?
    private var isClosed = false
    /// What there was no room for; it is not tried again.
    private var tooLarge: (commit: String, why: String)?
    private var current: Checkout?

    /// A server that has not answered after this time is told to be silent.
    private static let answerMs: Int64 = 12_000
    private static let fetchMs: Int64 = 300_000
    private static let reference = "refs/remotes/source/head"
    /// Files of objects, after which they are packed anew.
    private static let objectFilesMax = 300

    /// - Parameter directory: that of the Source, in which each repository and branch has its place.
    init(
        _ git: SourceSpec.Git, in directory: String, credentials: [String: [UInt8]],
        supervisor: String, events: EventLoop, discard: @escaping (String) -> Void
    ) {
        url = git.url
        branch = git.branch
        self.discard = discard
        var hash = Hash()
        hash.add("\(git.url) \(git.branch)".utf8)
        self.directory = "\(directory)/\(hash.text)"
        program = GitProgram(
            directory: self.directory, credentials: credentials, supervisor: supervisor, events: events,
            shown: git.url)
    }

    /// It is the same repository and branch: the clone can go on.
    func serves(_ git: SourceSpec.Git) -> Bool { git.url == url && git.branch == branch }

    func use(_ credentials: [String: [UInt8]]) { program.credentials = credentials }

    var isUpdating: Bool { work != nil }

    /// What is checked out.
    struct Tree: Sendable {
        fileprivate var repository: String
        fileprivate var url: String

        /// The directory that a Source names, reached without leaving the clone.
        func directory(_ path: String) throws(Problem) -> String {
            let fd = agentos_open_beneath(repository, path)
            guard fd >= 0 else {
                let why =
                    errno == EXDEV ? "a symbolic link leads out of the repository" : String(cString: strerror(errno))
                throw Problem(message: "\(url)/\(path): \(why)")
            }
            defer { close(fd) }
            return AllowedPaths.path(of: fd) ?? repository
        }
    }

    var tree: Tree { Tree(repository: repository, url: url) }

    /// Removes all of it from the disk: at once, or when the command that runs has ended.
    func remove() {
        isClosed = true
        if work == nil { removeFiles() }
    }

    private func removeFiles() { discard(directory) }

    /// Fetches the branch and checks its commit out.
    ///
    /// - Parameters:
    ///   - tell: called when the clone is made anew, with the reason.
    ///   - done: called once.
    func update(tell: @escaping (String) -> Void, _ done: @escaping (Result<Checkout, Problem>) -> Void) {
        do throws(Problem) {
            try prepare()
        } catch { return done(.failure(error)) }
        work = Update(tell: tell, done: done, isNew: !Files.exists("\(repository)/.git"))
        perform(.ask)
    }

    private func end(_ result: Result<Checkout, Problem>) {
        let done = work?.done
        work = nil
        if isClosed { removeFiles() }
        done?(result)
    }

    private func fail(_ why: String) { end(.failure(Problem(message: why))) }

    private func prepare() throws(Problem) {
        do throws(Files.Failure) {
            let parts = directory.split(separator: "/").map(String.init)
            for count in parts.count - 2...parts.count {
                try Files.makeDirectory("/" + parts.prefix(count).joined(separator: "/"))
            }
            try program.prepare()
        } catch { throw Problem(message: error.words) }
        // The daemon alone uses the clone, so locks and half packs were left by a command that was killed.
        for name in Self.litter(in: "\(repository)/.git") { Files.removeTree("\(repository)/.git/\(name)") }
    }

    /// Locks, and packs that were not received to their end.
    private static func litter(in place: String) -> [String] {
        var found = Files.names(in: "\(place)/objects/pack").filter { $0.hasPrefix("tmp_") }.map {
            "objects/pack/\($0)"
        }
        found += Files.names(in: "\(place)/objects").filter { $0.hasPrefix("tmp_") }.map { "objects/\($0)" }
        var directories = ["", "refs"]
        while let directory = directories.popLast() {
            for name in Files.names(in: "\(place)/\(directory)") {
                let inner = directory.isEmpty ? name : "\(directory)/\(name)"
                if name.hasSuffix(".lock") {
                    found.append(inner)
                } else if !directory.isEmpty, Files.isDirectory("\(place)/\(inner)") {
                    directories.append(inner)
                }
            }
        }
        return found
    }

    // MARK: Steps

    private func words(_ step: Step) -> [String] {
        switch step {
        case .ask: ["ls-remote", "--", url, "refs/heads/\(branch)"]
        case .verify: ["-C", repository, "status", "--porcelain", "--ignored", "--untracked-files=all"]
        case .initialize: ["init", "-q", repository]
        case .fetch:
            [
                "-C", repository, "fetch", "-q", "--depth", "1", "--no-tags", "--force", "--", url,
                "+refs/heads/\(branch):\(Self.reference)",
            ]
        case .resolve: ["-C", repository, "rev-parse", "--verify", "-q", "\(Self.reference)^{commit}"]
        case .checkOut(let commit): ["-C", repository, "checkout", "-q", "--force", "--detach", commit]
        case .clean: ["-C", repository, "clean", "-qffdx"]
        case .findSubmodules(let commit): ["-C", repository, "ls-tree", "-r", "-d", "-z", "--full-tree", commit]
        case .compact: ["-C", repository, "gc", "-q", "--prune=now"]
        }
    }

    private func perform(_ step: Step) {
        let timeoutMs = if case .ask = step { Self.answerMs } else { Self.fetchMs }
        program.run(words(step), timeoutMs: timeoutMs) { [self] result in
            if isClosed { return fail("\(url): it is no longer wanted") }
            switch result {
            case .success(let text): go(after: step, text)
            case .failure(let failure): fail(step, failure)
            }
        }
    }

    private func go(after step: Step, _ text: String) {
        switch step {
        case .ask:
            let commit = String(text.prefix { !$0.isWhitespace })
            if commit.isEmpty { return fail("\(url): it has no branch \(branch)") }
            if let tooLarge, tooLarge.commit == commit { return fail(tooLarge.why) }
            if Files.text(marker) == commit { return perform(.verify(commit)) }
            // What is there stays, and is asked for again when there is room.
            if let why = program.shortage(ofAll: false) { return fail("git fetch \(url): \(why)") }
            perform(work?.isNew == true ? .initialize(commit) : .fetch(commit))
        case .verify(let commit):
            guard text.isEmpty else { return perform(.checkOut(commit)) }
            if let current, current.commit == commit { return end(.success(current)) }
            perform(.findSubmodules(commit))
        case .initialize(let commit): perform(.fetch(commit))
        case .fetch: perform(.resolve)
        case .resolve: perform(.checkOut(String(text.prefix { !$0.isWhitespace })))
        case .checkOut(let commit): perform(.clean(commit))
        case .clean(let commit): perform(.findSubmodules(commit))
        case .findSubmodules(let commit):
            let found = Checkout(commit: commit, submodules: Self.submodules(text))
            if let why = program.shortage(ofAll: true) { return giveUp(commit, "git checkout \(url): \(why)") }
            // Only a checkout that came to its end counts.
            try? Files.replace(marker, Array(commit.utf8))
            current = found
            if objectFiles > Self.objectFilesMax { perform(.compact(found)) } else { end(.success(found)) }
        case .compact(let checkout): end(.success(checkout))
        }
    }

    private func fail(_ step: Step, _ failure: GitProgram.Failure) {
        let commit: String
        switch step {
        case .ask: return fail(failure.words)
        case .compact(let checkout): return end(.success(checkout))  // what it uses is measured again next time
        case .resolve: commit = ""
        case .verify(let name), .initialize(let name), .fetch(let name), .checkOut(let name), .clean(let name),
            .findSubmodules(let name):
            commit = name
        }
        switch failure {
        case .noRoom(let why): giveUp(commit, why)
        case .late(let why): fail(why)
        case .refused(let why):
            // The server has just answered, so that the clone itself may be what is wrong.
            guard let work, !work.isNew, !commit.isEmpty else { return fail(why) }
            self.work?.isNew = true
            clear()
            work.tell("\(why); the clone is made anew")
            perform(.initialize(commit))
        }
    }

    private func giveUp(_ commit: String, _ why: String) {
        let isDiskFull = Files.freeBytes(directory) < Limits.cloneFreeBytesMin
        clear()
        if !commit.isEmpty, !isDiskFull { tooLarge = (commit, why) }
        fail(why)
    }

    private func clear() {
        unlink(marker)
        current = nil
        Files.removeTree(repository)
    }

    /// The paths that `git ls-tree` shows as commits of another repository.
    static func submodules(_ text: String) -> Set<String> {
        Set(
            text.split(separator: "\0").filter { $0.hasPrefix("160000 ") }.compactMap { line in
                line.firstIndex(of: "\t").map { String(line[line.index(after: $0)...]) }
            })
    }

    private var objectFiles: Int {
        let objects = "\(repository)/.git/objects"
        return Files.names(in: objects).reduce(0) { $0 + Files.names(in: "\(objects)/\($1)").count }
    }
}
