import Manifests
import Planner
import Reconciler
import Values

/// How values stand in columns of the database.
enum Column {
    static func text(_ deadline: Deadline) -> String {
        "\(deadline.boot):\(deadline.bootMs):\(deadline.wallMs):\(deadline.lengthMs)"
    }

    static func deadline(_ text: String) -> Deadline? {
        let parts = text.split(separator: ":")
        guard parts.count == 4, let boot = UInt64(parts[0]), let bootMs = Int64(parts[1]), let wallMs = Int64(parts[2]),
            let lengthMs = Int64(parts[3])
        else { return nil }
        return Deadline(boot: boot, bootMs: bootMs, wallMs: wallMs, lengthMs: lengthMs)
    }

    static func text(_ moment: Moment) -> String { "\(moment.boot):\(moment.bootMs):\(moment.wallMs)" }

    static func moment(_ text: String) -> Moment? {
        let parts = text.split(separator: ":")
        guard parts.count == 3, let boot = UInt64(parts[0]), let bootMs = Int64(parts[1]), let wallMs = Int64(parts[2])
        else { return nil }
        return Moment(wallMs: wallMs, boot: boot, bootMs: bootMs)
    }

    static func text(_ exit: Exit) -> String {
        JSONWriter.text(
            .map([
                ("code", exit.code.map { .number($0) }), ("signal", exit.signal.map { .number($0) }),
                ("reason", .text(exit.reason.rawValue)), ("message", .text(exit.message)), ("atMs", .number(exit.atMs)),
            ]))
    }

    static func exit(_ text: String) -> Exit? {
        guard let node = JSONReader.read(text), let reason = Exit.Reason(rawValue: node["reason"]?.string ?? "") else {
            return nil
        }
        return Exit(
            code: node["code"]?.int, signal: node["signal"]?.int, reason: reason,
            message: node["message"]?.string ?? "",
            atMs: Int64(node["atMs"]?.int ?? 0))
    }

    static func text(_ managers: [FieldManager]) -> String {
        JSONWriter.text(
            .list(
                managers.map { manager in
                    .map([
                        ("manager", .text(manager.name)), ("operation", .text(manager.operation)),
                        ("timeMs", .number(manager.timeMs)), ("fieldsV1", manager.fieldsV1),
                    ])
                }))
    }

    static func managers(_ text: String) -> [FieldManager] {
        (JSONReader.read(text)?.list ?? []).compactMap { FieldManager($0, timeMs: Int64($0["timeMs"]?.int ?? 0)) }
    }

    static func text(_ origin: Origin) -> String {
        JSONWriter.text(
            .map([
                ("source", .text(origin.source.hex)), ("file", .text(origin.file)), ("line", .number(origin.line)),
                ("digest", .text(String(origin.digest, radix: 16))),
            ]))
    }

    static func origin(_ text: String) -> Origin? {
        guard let node = JSONReader.read(text), let source = node["source"]?.string.flatMap(UID.init) else {
            return nil
        }
        return Origin(
            source: source, file: node["file"]?.string ?? "", line: node["line"]?.int ?? 0,
            digest: UInt64(node["digest"]?.string ?? "", radix: 16) ?? 0)
    }

    /// What the reconciler has written of an object.
    static func status(_ object: StoredObject) -> String? { object.agent.map(status) ?? object.source.map(status) }

    private static func conditions(_ conditions: [StatusSummary.TimedCondition]) -> Node {
        .list(
            conditions.map { timed in
                .map([
                    ("type", .text(timed.condition.kind.rawValue)),
                    ("status", Node(.bool(timed.condition.status))),
                    ("reason", .text(timed.condition.reason.rawValue)), ("message", .text(timed.condition.message)),
                    ("observedGeneration", .number(timed.observedGeneration)),
                    ("lastTransitionMs", .number(timed.lastTransitionMs)),
                ])
            })
    }

    /// Nil when one of them is not of this program.
    private static func conditions(_ node: Node?) -> [StatusSummary.TimedCondition]? {
        let items = node?.list ?? []
        let read = items.compactMap { item -> StatusSummary.TimedCondition? in
            guard let kind = item["type"]?.string.flatMap(Condition.Kind.init),
                let reason = item["reason"]?.string.flatMap(Condition.Reason.init), let status = item["status"]?.bool
            else { return nil }
            return StatusSummary.TimedCondition(
                condition: Condition(
                    kind: kind, status: status, reason: reason, message: item["message"]?.string ?? ""),
                observedGeneration: Int64(item["observedGeneration"]?.int ?? 0),
                lastTransitionMs: Int64(item["lastTransitionMs"]?.int ?? 0))
        }
        return read.count == items.count ? read : nil
    }

    private static func status(_ source: SourceState) -> String {
        JSONWriter.text(
            .map([
                ("observedGeneration", .number(source.observedGeneration)), ("revision", .text(source.revision)),
                ("syncedAtMs", .number(source.syncedAtMs)), ("declared", .number(source.declared)),
                ("applied", .number(source.applied)), ("pruned", .number(source.pruned)),
                ("drifted", .list(source.drifted.map(Node.text))), ("failed", .number(source.failed)),
                ("errors", .list(source.errors.map(Node.text))), ("pruneWaits", .number(source.pruneWaits)),
                ("readyBy", .text(text(source.readyBy))), ("conditions", conditions(source.conditions)),
            ]))
    }

    static func source(_ text: String) -> SourceState? {
        guard let node = JSONReader.read(text), let conditions = conditions(node["conditions"]) else { return nil }
        func strings(_ name: String) -> [String] { (node[name]?.list ?? []).compactMap(\.string) }
        var source = SourceState()
        source.observedGeneration = Int64(node["observedGeneration"]?.int ?? 0)
        source.revision = node["revision"]?.string ?? ""
        source.syncedAtMs = Int64(node["syncedAtMs"]?.int ?? 0)
        source.declared = node["declared"]?.int ?? 0
        source.applied = node["applied"]?.int ?? 0
        source.pruned = node["pruned"]?.int ?? 0
        source.drifted = strings("drifted")
        source.failed = node["failed"]?.int ?? 0
        source.errors = strings("errors")
        source.pruneWaits = node["pruneWaits"]?.int ?? 0
        if let deadline = node["readyBy"]?.string.flatMap(deadline) { source.readyBy = deadline }
        source.conditions = conditions
        return source
    }

    /// The conditions, with their times, and the deadline of progress.
    private static func status(_ agent: AgentState) -> String {
        JSONWriter.text(
            .map([
                ("observedGeneration", .number(agent.observedGeneration)),
                ("phase", .text(agent.summary.phase.rawValue)),
                ("progressBy", .text(text(agent.progressBy))),
                ("readyReplicas", .number(agent.summary.readyReplicas)),
                ("updatedReplicas", .number(agent.summary.updatedReplicas)),
                ("isStarted", Node(.bool(agent.summary.isStarted))), ("isReady", Node(.bool(agent.summary.isReady))),
                ("isCompleted", Node(.bool(agent.summary.isCompleted))),
                ("hasLive", Node(.bool(agent.summary.hasLive))),
                ("conditions", conditions(agent.summary.conditions)),
            ]))
    }

    /// False when the status cannot be read.
    static func apply(status text: String, to agent: inout AgentState) -> Bool {
        guard let node = JSONReader.read(text), let phase = node["phase"]?.string.flatMap(AgentPhase.init),
            let conditions = conditions(node["conditions"])
        else { return false }
        agent.observedGeneration = Int64(node["observedGeneration"]?.int ?? 0)
        if let deadline = node["progressBy"]?.string.flatMap(deadline) { agent.progressBy = deadline }
        agent.summary.phase = phase
        agent.summary.readyReplicas = node["readyReplicas"]?.int ?? 0
        agent.summary.updatedReplicas = node["updatedReplicas"]?.int ?? 0
        agent.summary.isStarted = node["isStarted"]?.bool ?? false
        agent.summary.isReady = node["isReady"]?.bool ?? false
        agent.summary.isCompleted = node["isCompleted"]?.bool ?? false
        agent.summary.hasLive = node["hasLive"]?.bool ?? false
        agent.summary.conditions = conditions
        return true
    }
}
