import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// What stands in a run directory, the contract between the supervisor and the daemon, format 1.
///
/// Facts are read again at each look: nothing of them is kept in memory.
struct RunDirectory {
    enum Claim {
        case supervisor(pid: Int32, start: UInt64, boot: String)
        /// A start through a container runtime has begun.
        case runtime
        case daemon
        /// It is there and says nothing: the machine stopped before its bytes were on the disk, so it is from before.
        case damaged
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
        guard let words = claimWords else { return nil }
        switch words.first {
        case "supervisor":
            guard words.count >= 4, let pid = Int32(words[1]), let start = UInt64(words[2]) else { return .damaged }
            return .supervisor(pid: pid, start: start, boot: String(words[3]))
        case "runtime": return .runtime
        case "daemon": return .daemon
        default: return .damaged
        }
    }

    private var claimWords: [Substring]? {
        guard let text = Files.text("\(path)/claim") else { return nil }
        // One that was cut off may name half a store.
        return text.hasSuffix("\n") ? text.split(whereSeparator: { $0 == " " || $0 == "\n" }) : []
    }

    /// The store whose run this is; nil when its files do not say, as those of earlier versions.
    var store: String? {
        guard let words = claimWords, let last = words.last else { return nil }
        switch words.first {
        case "supervisor": return words.count >= 5 ? String(last) : nil
        case "daemon", "runtime": return words.count >= 2 ? String(last) : nil
        default: return nil
        }
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
            atMs: fields["at"]?.first.flatMap { Int64($0) } ?? 0, childOOMKills: childOOMKills)
    }

    /// How many children of the agent the kernel has killed for want of memory.
    var childOOMKills: Int { fields("oom")?["kills"]?.first.flatMap { Int($0) } ?? 0 }

    func write(childOOMKills kills: Int) throws(Files.Failure) {
        try Files.replace("\(path)/oom", Array("format 1\nkills \(kills)\n".utf8))
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
        /// What the image asks to be stopped by.
        var stopSignal: Int32?
    }

    var started: Started? {
        guard let fields = fields("started"), let boot = fields["boot"]?.first else { return nil }
        return Started(
            boot: boot, atMs: fields["at"]?.first.flatMap { Int64($0) } ?? 0, image: fields["image"]?.first,
            address: fields["address"]?.first, stopSignal: fields["stop-signal"]?.first.flatMap { Int32($0) })
    }

    func write(_ started: Started) throws(Files.Failure) {
        var lines = ["format 1", "boot \(started.boot)", "at \(started.atMs)"]
        if let image = started.image { lines.append("image \(image)") }
        if let address = started.address { lines.append("address \(address)") }
        if let signal = started.stopSignal { lines.append("stop-signal \(signal)") }
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
        guard let text = Files.text("\(path)/\(name)"), text.hasSuffix("\n") else { return nil }
        var fields: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2 { fields[String(parts[0]), default: []].append(String(parts[1])) }
        }
        return fields["format"]?.first == "1" ? fields : nil
    }

    /// Takes the claim for the daemon: afterwards this run can never start. False when somebody else has it.
    func takeClaim(for store: String) -> Bool { claim(as: "daemon \(store)") }

    /// Takes the claim for a start through a container runtime. False when somebody has it.
    func takeRuntimeClaim(for store: String) -> Bool { claim(as: "runtime \(store)") }

    /// Turns the claim of a start into the daemon's. Assumes: only this daemon acts on it.
    func giveUpRuntimeClaim(for store: String) throws(Files.Failure) {
        try Files.makeDirectory(path)
        try Files.replace("\(path)/claim", Array("daemon \(store)\n".utf8))
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
