import CLinux
import Glibc
internal import Manifests
internal import Planner
internal import Reconciler

/// What stands in a run directory, the contract between the supervisor and the daemon, format 1.
///
/// Facts are read again at each look: nothing of them is kept in memory.
struct RunDirectory {
    enum Claim {
        case supervisor(pid: Int32, start: UInt64, boot: String)
        /// A start through a container runtime has begun.
        case runtime
        case daemon
    }

    struct Process {
        var pid: Int32
        var start: UInt64
        var boot: String
        var supervisor: Int32
        var supervisorStart: UInt64
        var atMs: Int64
        var cgroups: [String]
    }

    let path: String

    var claim: Claim? {
        guard let words = Files.text("\(path)/claim")?.split(whereSeparator: { $0 == " " || $0 == "\n" }),
            let first = words.first
        else { return nil }
        if first == "supervisor", words.count >= 4, let pid = Int32(words[1]), let start = UInt64(words[2]) {
            return .supervisor(pid: pid, start: start, boot: String(words[3]))
        }
        return first == "runtime" ? .runtime : .daemon
    }

    var process: Process? {
        guard let fields = fields("process"), let pid = fields["pid"]?.first.flatMap({ Int32($0) }),
            let start = fields["start"]?.first.flatMap({ UInt64($0) }), let boot = fields["boot"]?.first
        else { return nil }
        return Process(
            pid: pid, start: start, boot: boot, supervisor: fields["supervisor"]?.first.flatMap { Int32($0) } ?? 0,
            supervisorStart: fields["supervisor-start"]?.first.flatMap { UInt64($0) } ?? 0,
            atMs: fields["at"]?.first.flatMap { Int64($0) } ?? 0, cgroups: fields["cgroup"] ?? [])
    }

    var exit: Exit? { exit(in: "exit") }

    /// How it ended, while what is left of it in the runtime is still being cleared away.
    var ending: Exit? { exit(in: "ending") }

    private func exit(in file: String) -> Exit? {
        guard let fields = fields(file), let word = fields["reason"]?.first else { return nil }
        return Exit(
            code: fields["code"]?.first.flatMap { Int($0) }, signal: fields["signal"]?.first.flatMap { Int($0) },
            reason: Exit.Reason(rawValue: word) ?? .unknown, message: fields["message"]?.first ?? "",
            atMs: fields["at"]?.first.flatMap { Int64($0) } ?? 0)
    }

    func write(ending exit: Exit) throws(Files.Failure) {
        var lines = ["format 1", "reason \(exit.reason.rawValue)"]
        if let code = exit.code { lines.append("code \(code)") }
        if let signal = exit.signal { lines.append("signal \(signal)") }
        lines.append("at \(exit.atMs)")
        let message = exit.message.split(whereSeparator: \.isNewline).joined(separator: " ")
        if !message.isEmpty { lines.append("message \(message)") }
        try Files.replace("\(path)/ending", Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    /// Nothing of the run lives any more.
    func finishEnding() throws(Files.Failure) {
        guard rename("\(path)/ending", "\(path)/exit") == 0 else {
            throw Files.Failure(code: errno, what: "\(path)/exit")
        }
    }

    /// What is written right before a runtime is told to run the agent's program.
    struct Started {
        var boot: String
        var atMs: Int64
        var image: String?
        var address: String?
    }

    var started: Started? {
        guard let fields = fields("started"), let boot = fields["boot"]?.first else { return nil }
        return Started(
            boot: boot, atMs: fields["at"]?.first.flatMap { Int64($0) } ?? 0, image: fields["image"]?.first,
            address: fields["address"]?.first)
    }

    func write(_ started: Started) throws(Files.Failure) {
        var lines = ["format 1", "boot \(started.boot)", "at \(started.atMs)"]
        if let image = started.image { lines.append("image \(image)") }
        if let address = started.address { lines.append("address \(address)") }
        try Files.replace("\(path)/started", Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    /// What of the file system the agent may use, for commands that are executed beside it.
    var confinement: (readable: [String], writable: [String])? {
        guard let fields = fields("confinement") else { return nil }
        return (fields["read"] ?? [], fields["write"] ?? [])
    }

    func write(confinement: (readable: [String], writable: [String])) throws(Files.Failure) {
        let lines =
            ["format 1"] + confinement.readable.map { "read \($0)" } + confinement.writable.map { "write \($0)" }
        try Files.replace("\(path)/confinement", Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    private func fields(_ name: String) -> [String: [String]]? {
        guard let text = Files.text("\(path)/\(name)") else { return nil }
        var fields: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2 { fields[String(parts[0]), default: []].append(String(parts[1])) }
        }
        return fields["format"]?.first == "1" ? fields : nil
    }

    /// Takes the claim for the daemon: afterwards this run can never start. False when somebody else has it.
    func takeClaim() -> Bool { claim(as: "daemon") }

    /// Takes the claim for a start through a container runtime. False when somebody has it.
    func takeRuntimeClaim() -> Bool { claim(as: "runtime") }

    /// Turns the claim of a start into the daemon's. Assumes: only this daemon acts on it.
    func giveUpRuntimeClaim() throws(Files.Failure) {
        try Files.makeDirectory(path)
        try Files.replace("\(path)/claim", Array("daemon\n".utf8))
    }

    private func claim(as owner: String) -> Bool {
        guard (try? Files.makeDirectory(path)) != nil else { return false }
        let temporary = "\(path)/.claim.daemon"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { return false }
        let text = Array("\(owner)\n".utf8)
        let written = Glibc.write(fd, text, text.count) == text.count
        close(fd)
        defer { unlink(temporary) }
        return written && link(temporary, "\(path)/claim") == 0
    }

    /// The log files that are there, oldest first.
    var logs: [String] {
        (0..<Limits.logFilesMax).reversed().map { $0 == 0 ? "\(path)/log" : "\(path)/log.\($0)" }.filter(Files.exists)
    }
}

/// What the kernel says about processes.
enum ProcessTable {
    /// The process is there, is the one that was recorded, and has not ended.
    static func isAlive(_ pid: Int32, _ start: UInt64) -> Bool {
        var state: CChar = 0
        var parent: pid_t = 0
        guard pid > 0, agentos_process_start(pid, &state, &parent) == start else { return false }
        return state != CChar(UInt8(ascii: "Z")) && state != CChar(UInt8(ascii: "X"))
    }

    static func isStopped(_ pid: Int32) -> Bool {
        var state: CChar = 0
        var parent: pid_t = 0
        return agentos_process_start(pid, &state, &parent) != 0
            && (state == CChar(UInt8(ascii: "T")) || state == CChar(UInt8(ascii: "t")))
    }

    /// What processes have used together; what their ended children used counts where they were waited for.
    static func usage(of pids: [Int32]) -> RunUsage {
        let (ticksPerSecond, pageBytes) = (Int64(sysconf(Int32(_SC_CLK_TCK))), Int64(sysconf(Int32(_SC_PAGESIZE))))
        var usage = RunUsage(cpuNs: 0, memoryBytes: 0, processes: 0)
        for pid in pids {
            guard let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { continue }
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 21 else { continue }
            // Fields 14 to 17: time of its own and of its children; 24: resident pages.
            let ticks = fields[11...14].reduce(Int64(0)) { $0 + (Int64($1) ?? 0) }
            usage.cpuNs += ticks * (1_000_000_000 / ticksPerSecond)
            usage.memoryBytes += (Int64(fields[21]) ?? 0) * pageBytes
            usage.processes += 1
        }
        return usage
    }

    /// All descendants of a process.
    static func descendants(of root: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for name in Files.names(in: "/proc") {
            guard let pid = Int32(name) else { continue }
            var state: CChar = 0
            var parent: pid_t = 0
            if agentos_process_start(pid, &state, &parent) != 0 { children[parent, default: []].append(pid) }
        }
        var found: [Int32] = []
        var work = [root]
        while let next = work.popLast() {
            found += children[next] ?? []
            work += children[next] ?? []
        }
        return found
    }

    /// Processes that carry the run in their environment: what is left of a run whose supervisor was killed.
    static func carrying(_ run: RunID) -> [Int32] {
        let mark = "AGENTOS_RUN=\(run.text)"
        return Files.names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            Files.text("/proc/\(pid)/environ", limit: 2 << 20)?.split(separator: "\0").contains { $0 == mark } ?? false
        }
    }

    static var bootID: String {
        (Files.text("/proc/sys/kernel/random/boot_id") ?? "unknown").split(separator: "\n").first.map(String.init)
            ?? "unknown"
    }
}
