import Manifests
import Planner
import Reconciler
import Values

/// The status of an Objective.
struct ObjectiveStatus {
    let spec: ObjectiveSpec
    let state: ObjectiveState

    init(_ object: StoredObject, _ state: ObjectiveState) {
        spec = ObjectiveSpec(object.content["spec"] ?? .emptyMap)
        self.state = state
    }

    private var reading: ObjectiveReading { state.reading }
    private typealias Shape = StatusShape

    static let table: [Shown<ObjectiveStatus>] = [
        Shown("observedGeneration", Shape.number, text: "The generation of the spec that this is about.") {
            .number($0.state.observedGeneration)
        },
        Shown(
            "phase", .enumeration(ObjectivePhase.allCases.map(\.rawValue)),
            text: "Spent: more went wrong in the window than may. Burning: the budget is used up too fast."
        ) { .text($0.reading.phase.rawValue) },
        Shown("attained", Shape.text, text: "The share of events that were good, in percent.") {
            $0.reading.attained.map { .text(ObjectiveSpec.percent($0)) }
        },
        Shown("budgetRemaining", Shape.text, text: "What is left of the events that may go wrong, in percent.") {
            .text(ObjectiveSpec.percent($0.reading.budget($0.spec)))
        },
        Shown("goodEvents", Shape.number, text: "Events in the window that were good.") { .number($0.reading.good) },
        Shown("badEvents", Shape.number, text: "Events in the window that were not.") { .number($0.reading.bad) },
        Shown("latency", Shape.text, text: "What the promised share took at most, to two digits.") {
            $0.reading.latencyMs.map { .text(ObjectiveSpec.time($0)) }
        },
        Shown(
            "burnRates", BurnStatus.table.shapes(max: BurnRule.table.count),
            text: "How many times faster than it lasts the budget is used up, over two windows each."
        ) { .list($0.reading.burns.map(BurnStatus.table.node)) },
        Shown(
            "trend", Shape.texts, text: "The share that was good in each part of the window; empty without events."
        ) { .list($0.reading.trend.map { .text($0.map(ObjectiveSpec.percent) ?? "") }) },
        Shown("lastReadTime", Shape.text, text: "When it stood so (RFC 3339).") {
            $0.state.readAtMs > 0 ? .text(Timestamp.seconds($0.state.readAtMs)) : nil
        },
        Shown(
            "conditions", ConditionStatus.table.shapes(max: Condition.Kind.allCases.count),
            text: "What is true of it, by type."
        ) { .list($0.state.conditions.map(ConditionStatus.table.node)) },
    ]
}

/// How fast a budget is used up, over the two windows of a rule.
enum BurnStatus {
    private typealias Shape = StatusShape

    static let table: [Shown<Burn>] = [
        Shown("window", Shape.text, text: "The long window.") { .text(ObjectiveSpec.time($0.longMs)) },
        Shown("rate", Shape.text, text: "Over the long window.") { .text(rate($0.long)) },
        Shown("shortWindow", Shape.text, text: "The short window.") { .text(ObjectiveSpec.time($0.shortMs)) },
        Shown("shortRate", Shape.text, text: "Over the short window.") { .text(rate($0.short)) },
        Shown("limit", Shape.text, text: "When both are at least this, the budget burns.") { .text(rate($0.limit)) },
    ]

    private static func rate(_ thousandths: Int) -> String {
        "\(thousandths / 1000).\(String(thousandths % 1000 / 10 + 100).dropFirst())"
    }
}
