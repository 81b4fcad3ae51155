import Manifests
import Planner
import Reconciler
import Values

/// The status of an agent.
struct AgentStatus {
    let agent: AgentState
    let object: StoredObject
    let ledger: Ledger
    /// Replicas that are wanted or still there.
    let shown: [Replica]
    /// The version of an object that runs have as an input.
    let inputVersion: (ObjectKey) -> Int64?

    init(
        _ agent: AgentState, _ object: StoredObject, _ ledger: Ledger, _ inputVersion: @escaping (ObjectKey) -> Int64?
    ) {
        self.agent = agent
        self.object = object
        self.ledger = ledger
        self.inputVersion = inputVersion
        shown = agent.replicas.filter { $0.ordinal < agent.effective.spec.replicas || $0.phase.isLive }
    }

    private typealias Shape = StatusShape

    static let table: [Shown<AgentStatus>] = [
        Shown("observedGeneration", Shape.number, text: "The generation of the spec that this is about.") {
            .number($0.agent.observedGeneration)
        },
        Shown(
            "phase", .enumeration(AgentPhase.allCases.map(\.rawValue)),
            text: "The first of these that any replica has; Suspended when nothing is to run."
        ) { .text($0.agent.summary.phase.rawValue) },
        Shown("revision", Shape.number, text: "Counts the changes of the spec that need a restart.") {
            .number($0.agent.revision)
        },
        Shown("replicas", Shape.number, text: "How many ordinals are to run.") {
            .number($0.agent.effective.spec.replicas)
        },
        Shown("readyReplicas", Shape.number, text: "Replicas that are ready.") {
            .number($0.agent.summary.readyReplicas)
        },
        Shown("updatedReplicas", Shape.number, text: "Replicas of the current revision.") {
            .number($0.agent.summary.updatedReplicas)
        },
        Shown("restarts", Shape.number, text: "Runs that followed another one, of all replicas.") {
            .number($0.shown.reduce(0) { $0 + $1.restarts })
        },
        Shown(
            "conditions", ConditionStatus.table.shapes(max: Condition.Kind.allCases.count),
            text: "What is true of it, by type."
        ) { .list($0.agent.summary.conditions.map(ConditionStatus.table.node)) },
        Shown("runs", RunStatus.table.shapes(max: Limits.replicasMax), text: "Its replicas, and their current runs.") {
            status in
            .list(status.shown.map { RunStatus.table.node(RunStatus($0, status.object, status.inputVersion)) })
        },
        Shown(
            "consistency", ConsistencyStatus.table.shape(), text: "How far the delivery of its events has got."
        ) { ConsistencyStatus.table.node($0.ledger) },
    ]
}

/// One condition of a status.
enum ConditionStatus {
    private typealias Shape = StatusShape

    static let table: [Shown<StatusSummary.TimedCondition>] = [
        Shown("type", Shape.text, text: "What it speaks of.") { .text($0.condition.kind.rawValue) },
        Shown("status", .enumeration(["True", "False", "Unknown"]), text: "Whether it holds.") {
            $0.condition.status ? "True" : "False"
        },
        Shown("reason", Shape.text, text: "Why, as programs read it.") { .text($0.condition.reason.rawValue) },
        Shown("message", Shape.text, text: "Why, in words.") { .text($0.condition.message) },
        Shown("observedGeneration", Shape.number, text: "The generation that it is about.") {
            .number($0.observedGeneration)
        },
        Shown("lastTransitionTime", Shape.text, text: "When its status changed (RFC 3339).") {
            .text(Timestamp.seconds($0.lastTransitionMs))
        },
    ]
}

/// How far the delivery of an object's events has got.
enum ConsistencyStatus {
    private typealias Shape = StatusShape

    static let table: [Shown<Ledger>] = [
        Shown(
            "phase", .enumeration(["OutboxWritten", "Published", "Retrying", "DeadLettered"]),
            text: "The state of its last event, or of the one that holds the others up."
        ) { .text(phase($0)) },
        Shown("lastSequence", Shape.number, text: "The number of its last event.") { .number($0.lastSequence) },
        Shown("publishedSequence", Shape.number, text: "The last that all required sinks have.") {
            .number($0.publishedSequence)
        },
        Shown("acknowledgedSequence", Shape.number, text: "The last that all registered consumers have acknowledged.") {
            .number($0.acknowledgedSequence)
        },
    ]

    private static func phase(_ ledger: Ledger) -> String {
        if let stuck = ledger.stuck { return stuck.isDeadLetter ? "DeadLettered" : "Retrying" }
        return ledger.publishedSequence == ledger.lastSequence ? "Published" : "OutboxWritten"
    }
}
