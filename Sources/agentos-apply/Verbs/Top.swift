import Glibc
import Manifests
import Reconciler
import Values

/// Shows the use of each replica: processors over half a second, memory now.
func topVerb(_ invocation: Invocation) throws -> ExitCode {
    let session = try Session(invocation)
    let namespace = invocation.flag("all-namespaces") ? nil : invocation.value("namespace")
    func sample() throws -> (ms: Int64, items: [Node]) {
        let query = namespace.map { [("namespace", $0)] } ?? []
        let node = try session.send("GET", "/apis/agentos.dev/v1/usage", query: query).node
        return (Timestamp.parse(node?["timestamp"]?.string ?? "") ?? 0, node?["items"]?.list ?? [])
    }
    let first = try sample()
    usleep(500_000)
    let second = try sample()
    let before = Dictionary(
        first.items.map { ($0["run"]?.string ?? "", $0["cpuNanoseconds"]?.int ?? 0) },
        uniquingKeysWith: { first, _ in first })
    let names = Set(invocation.positionals)
    let rows = second.items.compactMap { item -> [String]? in
        let name = item["agent"]?.string ?? ""
        guard names.isEmpty || names.contains(name) else { return nil }
        var cpu = "-"
        if let earlier = before[item["run"]?.string ?? ""], second.ms > first.ms {
            let ns = (item["cpuNanoseconds"]?.int ?? 0) - earlier
            cpu = "\(max(0, ns) / 1000 / Int(second.ms - first.ms))m"
        }
        return [
            item["namespace"]?.string ?? "", name, String(item["ordinal"]?.int ?? 0), cpu,
            "\((item["memoryBytes"]?.int ?? 0) >> 20)Mi", String(item["processes"]?.int ?? 0),
        ]
    }
    for name in names.sorted() where !rows.contains(where: { $0[1] == name }) {
        Terminal.printError("agent \"\(name)\" does not run")
    }
    if !rows.isEmpty {
        Terminal.print(Terminal.table(["NAMESPACE", "NAME", "ORDINAL", "CPU", "MEMORY", "PROCESSES"], rows))
    } else if names.isEmpty {
        Terminal.note("No agent runs.")
    }
    return rows.isEmpty && !names.isEmpty ? .failure : .success
}
