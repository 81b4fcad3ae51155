import Glibc
import Machine
import Reconciler

extension ProcessTable {
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
}
