import CLinux
import Glibc

/// Ends process trees that no supervisor ends any more: one scan of all processes serves all that wait for one, on a
/// thread of its own.
package final class ProcessSweep {
    /// What is known of a tree.
    package struct Target: Sendable {
        /// `NAME=value` in the environment of its processes.
        package var mark: String
        /// The process that began its session, and others it hangs from, with their start times.
        package var leader: (pid: Int32, start: UInt64)?
        package var roots: [(pid: Int32, start: UInt64)]

        package init(mark: String, leader: (pid: Int32, start: UInt64)?, roots: [(pid: Int32, start: UInt64)]) {
            self.mark = mark
            self.leader = leader
            self.roots = roots
        }
    }

    private let work: SideWork
    private var waiting: [(target: Target, done: (Bool) -> Void)] = []
    private var isScanning = false

    package init(events: EventLoop) { work = SideWork(name: "sweep", events: events) }

    /// Ends all of a tree; `done` gets false when something of it does not end.
    package func end(_ target: Target, done: @escaping (Bool) -> Void) {
        waiting.append((target, done))
        if !isScanning { scan() }
    }

    private func scan() {
        let batch = waiting
        let targets = batch.map(\.target)
        waiting = []
        isScanning = true
        work.run {
            Self.end(targets)
        } then: { [self] isDone in
            isScanning = false
            for (_, done) in batch { done(isDone) }
            if !waiting.isEmpty, !isScanning { scan() }
        }
    }

    /// Rounds of looking and killing, until a look finds nothing.
    private static func end(_ targets: [Target]) -> Bool {
        var pauseUs: UInt32 = 1000
        for _ in 0..<60 {
            let victims = ProcessScan().victims(of: targets)
            if victims.isEmpty { return true }
            for pid in victims { kill(pid, SIGKILL) }
            usleep(pauseUs)
            pauseUs = min(100_000, 2 * pauseUs)
        }
        return false
    }
}

/// All processes of the machine at one moment.
package struct ProcessScan {
    private struct Entry {
        var parent: Int32
        var session: Int32
        var start: UInt64
    }

    private var entries: [Int32: Entry] = [:]
    private var children: [Int32: [Int32]] = [:]

    package init() {
        for name in Files.names(in: "/proc") {
            guard let pid = Int32(name) else { continue }
            var found = agentos_process()
            // What has ended and was not waited for yet has nothing left to end.
            guard agentos_process_look(pid, &found) == 0, found.state != CChar(UInt8(ascii: "Z")) else { continue }
            entries[pid] = Entry(parent: found.parent, session: found.session, start: found.start)
            children[found.parent, default: []].append(pid)
        }
    }

    /// A process and all that descends from it, without itself.
    package func descendants(of root: Int32) -> [Int32] {
        var found: [Int32] = []
        var work = [root]
        while let next = work.popLast() {
            found += children[next] ?? []
            work += children[next] ?? []
        }
        return found
    }

    /// The processes of these trees, children before their parents.
    func victims(of targets: [ProcessSweep.Target]) -> [Int32] {
        var roots: Set<Int32> = []
        let marks = Set(targets.map(\.mark))
        var leaders: [Int32: UInt64] = [:]
        for target in targets {
            for root in target.roots where entries[root.pid]?.start == root.start { roots.insert(root.pid) }
            if let leader = target.leader { leaders[leader.pid] = leader.start }
        }
        for (pid, entry) in entries where pid > 1 && pid != getpid() {
            if let start = leaders[entry.session], entry.start >= start, isSameSession(entry.session, start) {
                roots.insert(pid)
            } else if Self.carries(pid, marks) {
                roots.insert(pid)
            }
        }
        var found = roots
        for root in roots { found.formUnion(descendants(of: root)) }
        found.remove(getpid())
        return found.sorted { (entries[$0]?.start ?? 0, $0) > (entries[$1]?.start ?? 0, $1) }
    }

    /// The number of a session is not given anew while it has members; with its leader gone it is still the same one.
    private func isSameSession(_ session: Int32, _ start: UInt64) -> Bool {
        entries[session].map { $0.start == start } ?? true
    }

    private static func carries(_ pid: Int32, _ marks: Set<String>) -> Bool {
        let text = Files.text("/proc/\(pid)/environ", limit: 2 << 20) ?? ""
        return text.split(separator: "\0").contains { marks.contains(String($0)) }
    }
}
