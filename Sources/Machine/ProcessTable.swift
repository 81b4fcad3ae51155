import CLinux
import Glibc

/// What the kernel says about processes.
package enum ProcessTable {
    /// The process is there, is the one that was recorded, and has not ended.
    package static func isAlive(_ pid: Int32, _ start: UInt64) -> Bool {
        var state: CChar = 0
        var parent: pid_t = 0
        guard pid > 0, agentos_process_start(pid, &state, &parent) == start else { return false }
        return state != CChar(UInt8(ascii: "Z")) && state != CChar(UInt8(ascii: "X"))
    }

    package static func isStopped(_ pid: Int32) -> Bool {
        var state: CChar = 0
        var parent: pid_t = 0
        return agentos_process_start(pid, &state, &parent) != 0
            && (state == CChar(UInt8(ascii: "T")) || state == CChar(UInt8(ascii: "t")))
    }

    /// All descendants of a process.
    package static func descendants(of root: Int32) -> [Int32] {
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

    /// Processes that carry an entry, `NAME=value`, in their environment.
    package static func carrying(_ mark: String) -> [Int32] {
        Files.names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            Files.text("/proc/\(pid)/environ", limit: 2 << 20)?.split(separator: "\0").contains { $0 == mark } ?? false
        }
    }

    package static var bootID: String {
        (Files.text("/proc/sys/kernel/random/boot_id") ?? "unknown").split(separator: "\n").first.map(String.init)
            ?? "unknown"
    }
}
