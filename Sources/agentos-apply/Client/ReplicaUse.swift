/// What one replica uses.
package struct ReplicaUse: Equatable {
    package enum Order: String, Choice {
        case name, cpu, memory
    }

    package var namespace: String
    package var agent: String
    package var ordinal: Int
    /// Thousandths of a core; nil: it was not there before.
    package var cpuMilli: Int?
    package var memoryBytes: Int
    package var processes: Int

    package init(
        namespace: String, agent: String, ordinal: Int, cpuMilli: Int?, memoryBytes: Int, processes: Int
    ) {
        self.namespace = namespace
        self.agent = agent
        self.ordinal = ordinal
        self.cpuMilli = cpuMilli
        self.memoryBytes = memoryBytes
        self.processes = processes
    }

    /// From two readings of counters, so many milliseconds apart.
    static func all(_ before: [UsageView], _ now: [UsageView], ms: Int64) -> [ReplicaUse] {
        let earlier = Dictionary(before.map { ($0.run, $0.cpuNanoseconds) }, uniquingKeysWith: { first, _ in first })
        return now.map { usage in
            let spent = earlier[usage.run].map { max(0, usage.cpuNanoseconds - $0) }
            return ReplicaUse(
                namespace: usage.namespace, agent: usage.agent, ordinal: usage.ordinal,
                cpuMilli: ms > 0 ? spent.map { $0 / 1000 / Int(ms) } : nil, memoryBytes: usage.memoryBytes,
                processes: usage.processes)
        }
    }

    /// By name, or the most first.
    package static func table(_ uses: [ReplicaUse], by order: Order) -> String {
        let sorted = uses.sorted { a, b in
            let names = (a.namespace, a.agent, a.ordinal) < (b.namespace, b.agent, b.ordinal)
            switch order {
            case .name: return names
            case .cpu: return a.cpuMilli == b.cpuMilli ? names : a.cpuMilli ?? -1 > b.cpuMilli ?? -1
            case .memory: return a.memoryBytes == b.memoryBytes ? names : a.memoryBytes > b.memoryBytes
            }
        }
        let rows = sorted.map { use in
            [
                use.namespace, use.agent, String(use.ordinal), use.cpuMilli.map { "\($0)m" } ?? "-",
                "\(use.memoryBytes >> 20)Mi", String(use.processes),
            ]
        }
        return Table(["NAMESPACE", "NAME", "ORDINAL", "CPU", "MEMORY", "PROCESSES"], rows, hasColor: false).text()
    }
}
