import Glibc
import Manifests
import Values

/// Shows the use of each replica: processors over half a second, memory now.
struct Top: Verb {
    static let name = "top"
    static let usage = "top [AGENT…]"
    static let operands = Operands.names(.agent)
    static let text = "Show what replicas use of processors and memory."

    enum Format: String, OutputChoice {
        case table, wide
    }

    let scope = ScopeOptions()
    @Option("sort-by", value: "COLUMN", "name, cpu or memory; the most first") var order = ReplicaUse.Order.name

    @Option("output", short: "o", value: "FORMAT", "table, or wide: with what they may use at most")
    var format = Format.table
    let watch = WatchOption()

    private static let pauseMicroseconds: UInt32 = 500_000

    func run(_ invocation: Invocation) throws -> ExitCode {
        let targets = try invocation.targets(invocation.words, usual: .agent, among: [.agent], does: "measured")
        let names = Set(targets.map(\.name))
        let session = try invocation.session()
        var before = try sample(session)
        while true {
            usleep(Self.pauseMicroseconds)
            let now = try sample(session)
            let uses = ReplicaUse.all(before.usages, now.usages, ms: now.ms - before.ms)
                .filter { names.isEmpty || names.contains($0.agent) }
            if !watch.isOn { return try show(uses, names) }
            let head = Terminal.isInteractive ? "\u{1b}[H\u{1b}[J" : ""
            try Terminal.print(head + table(uses))
            before = now
            usleep(3 * Self.pauseMicroseconds)
        }
    }

    private func show(_ uses: [ReplicaUse], _ names: Set<String>) throws -> ExitCode {
        for name in names.sorted() where !uses.contains(where: { $0.agent == name }) {
            Terminal.printError("no replica of an agent \"\(name)\" runs; see 'agentos-apply get agents -A'")
        }
        if !uses.isEmpty {
            try Terminal.print(table(uses))
        } else if names.isEmpty {
            Terminal.note("No agent runs.")
        }
        return uses.isEmpty && !names.isEmpty ? .failure : .success
    }

    private func table(_ uses: [ReplicaUse]) -> String {
        ReplicaUse.table(uses, by: order, isWide: format == .wide)
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
}
