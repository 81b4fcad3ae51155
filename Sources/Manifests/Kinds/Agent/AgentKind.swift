import Values

/// A workload that should keep running.
enum AgentKind {
    static let definition = KindDescription(
        "Agent", group: "agentos.dev", resource: "agents", shortNames: ["ag"], categories: ["all"],
        text: "A workload that should keep running.", nameRule: .label(53),
        fields: AgentFields.root,
        subresources: [.status, .scale, .events, .revisions, .log, .exec, .attach, .portforward],
        columns: [
            .name,
            Column("DRIVER", text: "What isolates the agent.") { .text($0[path: "spec", "driver"]?.string ?? "") },
            Column("READY", text: "Replicas that are ready, of those that should be.") { object in
                let status = object["status"]
                return .text("\(status?["readyReplicas"]?.int ?? 0)/\(status?["replicas"]?.int ?? 0)")
            }, .phase, .count("RESTARTS", "restarts", text: "Runs that followed another one."), .age,
            .count("REVISION", "revision", text: "Counts changes that restart.", isWide: true),
            Column("PIDS", text: "Processes of its live runs.", isWide: true) { object in
                let pids = (object[path: "status", "runs"]?.list ?? []).compactMap { $0["pid"]?.int }
                return .text(pids.map { String($0) }.joined(separator: ","))
            }, .reason,
        ],
        selectableFields: ["spec.driver", "status.phase"],
        rules: { object, validator in validator.checkAgent(object) },
        isSameSpec: { AgentSpec($0).completed(by: $2) == AgentSpec($1).completed(by: $2) })
}
