import Glibc
import Values

/// Shows the use of each replica: processors over half a second, memory now.
struct Top: Verb {
    static let name = "top"
    static let usage = "top [AGENT…]"
    static let operands = Operands.names(.agent)
    static let text = "Show what running agents use of processors and memory."

    let scope = ScopeOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let first = try sample(session)
        usleep(500_000)
        let second = try sample(session)
        let names = Set(invocation.words)
        let rows = Self.rows(first, second, names)
        for name in names.sorted() where !rows.contains(where: { $0[1] == name }) {
            Terminal.printError("agent \"\(name)\" does not run")
        }
        if !rows.isEmpty {
            let header = ["NAMESPACE", "NAME", "ORDINAL", "CPU", "MEMORY", "PROCESSES"]
            try Terminal.print(Table(header, rows, hasColor: false).text())
        } else if names.isEmpty {
            Terminal.note("No agent runs.")
        }
        return rows.isEmpty && !names.isEmpty ? .failure : .success
    }

    private struct Sample {
        var ms: Int64
        var usages: [UsageView]
    }

    private func sample(_ session: Session) throws -> Sample {
        let namespace = scope.isAll ? nil : scope.namespace
        let node = try session.node(
            "GET", "/apis/agentos.dev/v1/usage", query: namespace.map { [("namespace", $0)] } ?? [])
        return Sample(
            ms: Timestamp.parse(node["timestamp"]?.string ?? "") ?? 0, usages: try node.items().map(UsageView.init))
    }

    private static func rows(_ first: Sample, _ second: Sample, _ names: Set<String>) -> [[String]] {
        let before = Dictionary(
            first.usages.map { ($0.run, $0.cpuNanoseconds) }, uniquingKeysWith: { first, _ in first })
        return second.usages.compactMap { usage in
            guard names.isEmpty || names.contains(usage.agent) else { return nil }
            var cpu = "-"
            if let earlier = before[usage.run], second.ms > first.ms {
                cpu = "\(max(0, usage.cpuNanoseconds - earlier) / 1000 / Int(second.ms - first.ms))m"
            }
            return [
                usage.namespace, usage.agent, String(usage.ordinal), cpu, "\(usage.memoryBytes >> 20)Mi",
                String(usage.processes),
            ]
        }
    }
}
