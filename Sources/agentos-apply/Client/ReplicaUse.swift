/// What one replica uses.
package struct ReplicaUse: Equatable {
    package enum Order: String, Choice {
        case name, cpu, memory
    }

    /// What its run may use at most; nil: as much as there is.
    package struct Limits: Equatable {
        package var cpuMilli: Int?
        package var memoryBytes: Int?
        package var processes: Int?

        package init(cpuMilli: Int? = nil, memoryBytes: Int? = nil, processes: Int? = nil) {
            self.cpuMilli = cpuMilli
            self.memoryBytes = memoryBytes
            self.processes = processes
        }
    }

    package var namespace: String
    package var agent: String
    package var ordinal: Int
    /// Thousandths of a core; nil: it was not there before.
    package var cpuMilli: Int?
    package var memoryBytes: Int
    package var processes: Int
    package var limits: Limits

    package init(
        namespace: String, agent: String, ordinal: Int, cpuMilli: Int?, memoryBytes: Int, processes: Int,
        limits: Limits = Limits()
    ) {
        self.namespace = namespace
        self.agent = agent
        self.ordinal = ordinal
        self.cpuMilli = cpuMilli
        self.memoryBytes = memoryBytes
        self.processes = processes
        self.limits = limits
    }

    /// From two readings of counters, so many milliseconds apart.
    static func all(_ before: [UsageView], _ now: [UsageView], ms: Int64) -> [ReplicaUse] {
        let earlier = Dictionary(before.map { ($0.run, $0.cpuNanoseconds) }, uniquingKeysWith: { first, _ in first })
        return now.map { usage in
            let spent = earlier[usage.run].map { max(0, usage.cpuNanoseconds - $0) }
            return ReplicaUse(
                namespace: usage.namespace, agent: usage.agent, ordinal: usage.ordinal,
                cpuMilli: ms > 0 ? spent.map { $0 / 1000 / Int(ms) } : nil, memoryBytes: usage.memoryBytes,
                processes: usage.processes, limits: usage.limits)
        }
    }

    /// By name, or the most first; with limits in the wide form.
    package static func table(_ uses: [ReplicaUse], by order: Order, isWide: Bool = false) -> String {
        let sorted = uses.sorted { a, b in
            let names = (a.namespace, a.agent, a.ordinal) < (b.namespace, b.agent, b.ordinal)
            switch order {
            case .name: return names
            case .cpu: return a.cpuMilli == b.cpuMilli ? names : a.cpuMilli ?? -1 > b.cpuMilli ?? -1
            case .memory: return a.memoryBytes == b.memoryBytes ? names : a.memoryBytes > b.memoryBytes
            }
        }
        func milli(_ cores: Int?) -> String { cores.map { "\($0)m" } ?? "-" }
        func mebi(_ bytes: Int) -> String { "\(bytes >> 20)Mi" }
        func cells(_ limits: Limits) -> [String] {
            [
                milli(limits.cpuMilli), limits.memoryBytes.map(mebi) ?? "-",
                limits.processes.map { "\($0)" } ?? "-",
            ]
        }
        let rows = sorted.map { use in
            let cells = isWide ? cells(use.limits) : []
            return [
                use.namespace, use.agent, String(use.ordinal), milli(use.cpuMilli), mebi(use.memoryBytes),
                String(use.processes),
            ] + cells
        }
        let head = ["NAMESPACE", "NAME", "ORDINAL", "CPU", "MEMORY", "PROCESSES"]
        let further = isWide ? ["CPU-LIMIT", "MEMORY-LIMIT", "PROCESS-LIMIT"] : []
        return Table(head + further, rows, hasColor: false).text()
    }
}
