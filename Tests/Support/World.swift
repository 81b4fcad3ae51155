package import Glibc
import Testing

/// One daemon with a state directory of its own, and the command line to talk to it: the real programs, real processes.
///
/// `close()` (or the end of `inWorld`) kills all that is left and removes the directory.
package final class World: @unchecked Sendable {  // used by one test at a time
    package let directory: String
    package var state: String { "\(directory)/state" }
    package var socket: String { "\(state)/agentos.sock" }
    /// Counts commands, to name their files.
    var commands = 0
    /// Further variables of the environment of commands and daemon.
    package var moreEnvironment: [String] = []

    /// The directory of the programs under test: where the test program itself was built.
    package static let programs: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }()
    package static var program: String { "\(programs)/agentos-apply" }
    package static let isRoot = getuid() == 0
    /// The directory of the project.
    package static let root = #filePath.replacing("/Tests/Support/World.swift", with: "")

    package init(directory given: String? = nil) {
        if let given {
            directory = given
        } else {
            var template = Array("/tmp/agentos-test.XXXXXX".utf8CString)
            directory = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/agentos-test"
        }
        chmod(directory, 0o755)
    }

    /// Ends everything that this world started: the daemon first, then whatever still carries its directory.
    package func close() {
        // Whatever a test is about: each event that it has caused was compared with its schema.
        for line in log.split(separator: "\n") where line.contains("events are not as their schemas say") {
            Issue.record("\(line)")
        }
        killDaemon()
        // Supervisors have the directory in their command line or place, agents in HOME.
        for pid in World.processes() where pid != getpid() && World.belongs(pid, to: directory) {
            World.kill(pid, SIGKILL)
        }
        removeGroups()
        for place in World.mounts(below: directory) { umount2(place, 2) }
        _ = spawn(["/bin/rm", "-rf", directory])
    }

    // MARK: Commands

    package struct Result {
        package var code: Int32
        package var output: String
        package var error: String
        package var text: String { "exit \(code)\n\(output)\(error)" }
    }

    /// Of a program that is run to its end: longer than a command itself waits for an answer.
    package static let programMs = 300_000

    @discardableResult
    package func run(_ words: String..., input: String? = nil, timeoutMs: Int = programMs) -> Result {
        run(words, input: input, timeoutMs: timeoutMs)
    }

    package func run(_ words: [String], input: String? = nil, timeoutMs: Int = programMs) -> Result {
        spawn([World.program] + words, input: input, timeoutMs: timeoutMs)
    }

    /// A command that goes on; its standard output is in the file.
    package func begin(_ words: String...) -> (pid: pid_t, output: String) {
        commands += 1
        let base = "\(directory)/command-\(commands)"
        return (World.start([World.program] + words, environment, nil, "\(base).out", "\(base).err"), "\(base).out")
    }

    package var environment: [String] {
        [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(directory)", "AGENTOS_STATE_DIR=\(state)", "LANG=C.UTF-8",
            "CANARY=the-daemons-own-environment", "SWIFT_BACKTRACE=enable=no", "AGENTOS_EVENT_CHECKS=1",
        ] + moreEnvironment
    }

    package func spawn(_ words: [String], input: String? = nil, timeoutMs: Int = programMs) -> Result {
        commands += 1
        let base = "\(directory)/command-\(commands)"
        if let input { write("command-\(commands).in", input) }
        let pid = World.start(words, environment, input == nil ? nil : "\(base).in", "\(base).out", "\(base).err")
        let status = World.wait(pid, timeoutMs: timeoutMs)
        let result = Result(code: status ?? -1, output: World.read("\(base).out"), error: World.read("\(base).err"))
        for suffix in ["in", "out", "err"] { unlink("\(base).\(suffix)") }
        if status == nil { Issue.record("\(words.joined(separator: " ")) did not end within \(timeoutMs) ms") }
        return result
    }

    package static func start(
        _ words: [String], _ environment: [String], _ input: String?, _ output: String, _ error: String
    )
        -> pid_t
    {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var arguments = words.map { strdup($0) } + [nil]
        var variables = environment.map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        // Threads of the test program hold most signals back; what they start must hear them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        return posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, &variables) == 0 ? pid : -1
    }

    /// The exit code, or 128 + the signal; nil and a kill when the time is up.
    package static func wait(_ pid: pid_t, timeoutMs: Int = patienceMs) -> Int32? {
        guard pid > 1 else {
            Issue.record("the program could not be started")
            return nil
        }
        var status: Int32 = 0
        if becomes(within: timeoutMs, every: 2, { waitpid(pid, &status, WNOHANG) == pid }) {
            return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        }
        World.kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        return nil
    }

    // MARK: The daemon

    @discardableResult
    package func startDaemon() -> pid_t {
        let result = start()
        #expect(result.code == 0, "\(result.text)\n\(log)")
        return daemonPID
    }

    /// `daemon start` with these options.
    @discardableResult
    package func start(_ options: String...) -> Result { run(["daemon", "start"] + options) }

    package var log: String { World.read("\(state)/daemon.log") }
    package var daemonPID: pid_t { pid_t(World.read("\(state)/lock").prefix { $0.isNumber }) ?? -1 }

    /// The daemon that the lock names, when that is this world's: the number of one that has ended may be another's.
    package var livingDaemon: pid_t? {
        let pid = daemonPID
        guard pid > 1, World.commandLine(of: pid).contains("daemon") else { return nil }
        // A daemon does not show its environment to everybody.
        return World.environment(of: pid).isEmpty || World.belongs(pid, to: directory) ? pid : nil
    }

    /// What the daemon sees all at once, however long it takes: it is stopped meanwhile.
    package func atOnce(_ body: () -> Void) {
        let pid = daemonPID
        World.kill(pid, SIGSTOP)
        body()
        World.kill(pid, SIGCONT)
    }

    package func killDaemon() {
        guard let pid = livingDaemon else { return }
        World.kill(pid, SIGKILL)
        World.until("the daemon is gone") { livingDaemon != pid }
        // Its files are closed a moment later.
        let lock = open("\(state)/lock", O_RDWR | O_CLOEXEC)
        World.until("its lock is free") { flock(lock, LOCK_EX | LOCK_NB) == 0 }
        Glibc.close(lock)
    }
}

/// Runs a test in a world of its own, which is gone afterwards.
package func inWorld(_ body: (World) throws -> Void) rethrows {
    let world = World()
    defer { world.close() }
    try body(world)
}
