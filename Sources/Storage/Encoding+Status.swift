import Planner
import Reconciler
import Values

/// What the reconciler has written of an object.
extension Column {
    static func status(_ object: StoredObject) -> String? {
        object.agent.map(status) ?? object.source.map(status) ?? object.objective.map(status)
    }

    static func conditions(_ conditions: [StatusSummary.TimedCondition]) -> Node {
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

    static func conditions(_ stored: Document) throws(Damage) -> [StatusSummary.TimedCondition] {
        var conditions: [StatusSummary.TimedCondition] = []
        for item in try stored.documents("conditions") {
            conditions.append(
                StatusSummary.TimedCondition(
                    condition: Condition(
                        kind: try item.value("type", Condition.Kind.init), status: try item.flag("status"),
                        reason: try item.value("reason", Condition.Reason.init), message: try item.text("message")),
                    observedGeneration: try item.number("observedGeneration"),
                    lastTransitionMs: try item.number("lastTransitionMs")))
        }
        return conditions
    }

    private static func deadline(_ stored: Document, _ name: String) throws(Damage) -> Deadline {
        try deadline(try stored.text(name))
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

    static func source(_ text: String) throws(Damage) -> SourceState {
        let stored = try Document(text)
        var source = SourceState()
        source.observedGeneration = try stored.number("observedGeneration")
        source.revision = try stored.text("revision")
        source.syncedAtMs = try stored.number("syncedAtMs")
        source.declared = try stored.count("declared")
        source.applied = try stored.count("applied")
        source.pruned = try stored.count("pruned")
        source.drifted = try stored.texts("drifted")
        source.failed = try stored.count("failed")
        source.errors = try stored.texts("errors")
        source.pruneWaits = try stored.count("pruneWaits")
        source.readyBy = try deadline(stored, "readyBy")
        source.conditions = try conditions(stored)
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
                ("conditions", conditions(agent.summary.conditions)), ("trace", agent.trace.map { .text($0) }),
            ]))
    }

    static func apply(status text: String, to agent: inout AgentState) throws(Damage) {
        let stored = try Document(text)
        agent.observedGeneration = try stored.number("observedGeneration")
        agent.progressBy = try deadline(stored, "progressBy")
        agent.summary.phase = try stored.value("phase", AgentPhase.init)
        agent.summary.readyReplicas = try stored.count("readyReplicas")
        agent.summary.updatedReplicas = try stored.count("updatedReplicas")
        agent.summary.isStarted = try stored.flag("isStarted")
        agent.summary.isReady = try stored.flag("isReady")
        agent.summary.isCompleted = try stored.flag("isCompleted")
        agent.summary.hasLive = try stored.flag("hasLive")
        agent.summary.conditions = try conditions(stored)
        agent.trace = try stored.optionalText("trace")
    }
}
