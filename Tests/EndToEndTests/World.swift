import Glibc
import Manifests
import Testing
import Values

/// One daemon with a state directory of its own, and the command line to talk to it: the real programs, real processes.
///
/// `close()` (or the end of `inWorld`) kills all that is left and removes the directory.
final class World: @unchecked Sendable {  // used by one test at a time
    let directory: String
    var state: String { "\(directory)/state" }
    var socket: String { "\(state)/agentos.sock" }
    private var commands = 0
    /// Further variables of the environment of commands and daemon.
    var moreEnvironment: [String] = []

    /// The directory of the programs under test: where the test program itself was built.
    static let programs: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }()
    static var program: String { "\(programs)/agentos-apply" }
    static let isRoot = getuid() == 0

    init(directory given: String? = nil) {
        if let given {
            directory = given
        } else {
            var template = Array("/tmp/agentos-test.XXXXXX".utf8CString)
            directory = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/agentos-test"
        }
        chmod(directory, 0o755)
    }

    /// Ends everything that this world started: the daemon first, then whatever still carries its directory.
    func close() {
        killDaemon()
        // Supervisors have the directory in their command line or place, agents in HOME.
        for pid in World.processes() where pid != getpid() && World.belongs(pid, to: directory) { kill(pid, SIGKILL) }
        _ = spawn(["/bin/rm", "-rf", directory], timeoutMs: 20_000)
    }

    // MARK: Commands

    struct Result {
        var code: Int32
        var output: String
        var error: String
        var text: String { "exit \(code)\n\(output)\(error)" }
    }

    @discardableResult
    func run(_ words: String..., input: String? = nil, timeoutMs: Int = 60_000) -> Result {
        run(words, input: input, timeoutMs: timeoutMs)
    }

    func run(_ words: [String], input: String? = nil, timeoutMs: Int = 60_000) -> Result {
        spawn([World.program] + words, input: input, timeoutMs: timeoutMs)
    }

    /// A command that goes on; its standard output is in the file.
    func begin(_ words: String...) -> (pid: pid_t, output: String) {
        commands += 1
        let base = "\(directory)/command-\(commands)"
        return (World.start([World.program] + words, environment, nil, "\(base).out", "\(base).err"), "\(base).out")
    }

    var environment: [String] {
        [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(directory)", "AGENTOS_STATE_DIR=\(state)", "LANG=C.UTF-8",
            "CANARY=the-daemons-own-environment", "SWIFT_BACKTRACE=enable=no",
        ] + moreEnvironment
    }

    func spawn(_ words: [String], input: String? = nil, timeoutMs: Int) -> Result {
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

    static func start(_ words: [String], _ environment: [String], _ input: String?, _ output: String, _ error: String)
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
        return posix_spawnp(&pid, words[0], &actions, nil, &arguments, &variables) == 0 ? pid : -1
    }

    /// The exit code, or 128 + the signal; nil and a kill when the time is up.
    static func wait(_ pid: pid_t, timeoutMs: Int) -> Int32? {
        var status: Int32 = 0
        for _ in 0..<(timeoutMs / 2 + 1) {
            if waitpid(pid, &status, WNOHANG) == pid {
                return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
            }
            usleep(2000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        return nil
    }

    // MARK: The daemon

    @discardableResult
    func startDaemon() -> pid_t {
        let result = run("daemon", "start")
        #expect(result.code == 0, "\(result.text)\n\(log)")
        return daemonPID
    }

    var log: String { World.read("\(state)/daemon.log") }
    var daemonPID: pid_t { pid_t(World.read("\(state)/lock").prefix { $0.isNumber }) ?? -1 }

    func killDaemon() {
        let pid = daemonPID
        guard pid > 1, World.commandLine(of: pid).contains("daemon") else { return }
        kill(pid, SIGKILL)
        World.until("the daemon is gone", 5000) { World.commandLine(of: pid).isEmpty }
        // Its files are closed a moment later.
        let lock = open("\(state)/lock", O_RDWR | O_CLOEXEC)
        World.until("its lock is free", 5000) { flock(lock, LOCK_EX | LOCK_NB) == 0 }
        Glibc.close(lock)
    }

    // MARK: Manifests and objects

    @discardableResult
    func write(_ name: String, _ text: String) -> String {
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            bytes = bytes.dropFirst(count)
        }
        Glibc.close(fd)
        return path
    }

    /// An agent manifest from its name, command and further lines of the spec.
    static func agent(_ name: String, _ script: String, _ more: String = "") -> String {
        let spec = more.split(separator: "\n").map { "  \($0)\n" }.joined()
        return """
            apiVersion: agentos.dev/v1
            kind: Agent
            metadata: {name: \(name)}
            spec:
              command: [sh, -c, \(JSONWriter.text(.text(script)))]
            \(spec)---

            """
    }

    /// A script that stays until it is asked to stop.
    static let stays = "trap 'exit 0' TERM; while :; do sleep 0.2; done"

    @discardableResult
    func apply(_ manifest: String, _ more: String...) -> Result {
        let path = write("manifest-\(commands).yaml", manifest)
        return run(["-f", path] + more)
    }

    func get(_ name: String, kind: String = "agent", namespace: String = "default") -> Node? {
        let result = run("get", kind, name, "-n", namespace, "-o", "json")
        return result.code == 0 ? JSONReader.read(result.output) : nil
    }

    func status(_ name: String) -> Node? { get(name)?["status"] }
    func phase(_ name: String) -> String { status(name)?["phase"]?.string ?? "absent" }
    func runOf(_ name: String, _ ordinal: Int = 0) -> Node? {
        status(name)?["runs"]?.list?.first { $0["ordinal"]?.int == ordinal }
    }
    func pid(_ name: String, _ ordinal: Int = 0) -> pid_t { runOf(name, ordinal)?["pid"]?.int.map { pid_t($0) } ?? -1 }

    func condition(_ name: String, _ type: String) -> Node? {
        status(name)?["conditions"]?.list?.first { $0["type"]?.string == type }
    }

    func events(_ more: String...) -> [Node] {
        run(["events", "-o", "json"] + more).output.split(separator: "\n").compactMap { JSONReader.read(String($0)) }
    }

    /// Waits for a condition with a deadline; records an issue when it does not come.
    @discardableResult
    static func until(_ what: String, _ timeoutMs: Int = 15_000, _ condition: () -> Bool) -> Bool {
        let deadline = now() + timeoutMs
        while now() < deadline {
            if condition() { return true }
            usleep(10_000)
        }
        if condition() { return true }
        Issue.record("not within \(timeoutMs) ms: \(what)")
        return false
    }

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    // MARK: The machine

    static func processes() -> [pid_t] { names("/proc").compactMap { pid_t($0) } }

    static func commandLine(of pid: pid_t) -> String { read("/proc/\(pid)/cmdline").replacing("\0", with: " ") }
    static func environment(of pid: pid_t) -> String { read("/proc/\(pid)/environ") }
    static func isAlive(_ pid: pid_t) -> Bool {
        guard pid > 0, let state = stat(of: pid).first else { return false }
        return state != "Z" && state != "X"
    }

    static func parent(of pid: pid_t) -> pid_t { stat(of: pid).dropFirst().first.flatMap { pid_t($0) } ?? -1 }

    static func belongs(_ pid: pid_t, to directory: String) -> Bool {
        environment(of: pid).contains(directory) || commandLine(of: pid).contains(directory)
            || openPath(pid, "cwd").hasPrefix(directory)
    }

    /// The fields of /proc/PID/stat after the name: state, parent, …
    static func stat(of pid: pid_t) -> [Substring] {
        let text = read("/proc/\(pid)/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    static func openPath(_ pid: pid_t, _ what: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/\(what)", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Processes that have a text in their command line.
    static func processes(with text: String) -> [pid_t] {
        processes().filter { $0 != getpid() && commandLine(of: $0).contains(text) && isAlive($0) }
    }

    static func names(_ directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var result: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result.sorted()
    }

    static func bytes(_ path: String) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return [] }
        defer { Glibc.close(fd) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            guard count > 0 else { return result }
            result += chunk[..<count]
        }
    }

    static func read(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

    /// All files below a directory.
    static func files(_ directory: String) -> [String] {
        names(directory).flatMap { name -> [String] in
            var status = Glibc.stat()
            let path = "\(directory)/\(name)"
            guard lstat(path, &status) == 0 else { return [] }
            return status.st_mode & S_IFMT == S_IFDIR ? files(path) : [path]
        }
    }
}

/// Runs a test in a world of its own, which is gone afterwards.
func inWorld(_ body: (World) throws -> Void) rethrows {
    let world = World()
    defer { world.close() }
    try body(world)
}
