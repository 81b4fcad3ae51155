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

    /// Names this boot of the machine.
    package static let bootID =
        Files.text("/proc/sys/kernel/random/boot_id")?.split(separator: "\n").first.map(String.init) ?? "unknown"
}
