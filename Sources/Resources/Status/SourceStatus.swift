import Manifests
import Planner
import Reconciler
import Values

/// The status of a Source.
enum SourceStatus {
    private typealias Shape = StatusShape

    static let table: [Shown<SourceState>] = [
        Shown("observedGeneration", Shape.number, text: "The generation of the spec that this is about.") {
            .number($0.observedGeneration)
        },
        Shown("phase", Shape.text, text: "Ready, or why it is not.") {
            $0.condition(.ready).map { .text($0.status ? "Ready" : $0.reason.rawValue) }
        },
        Shown("revision", Shape.text, text: "What was read last: a commit, or a digest of the files.") {
            $0.revision.isEmpty ? nil : .text($0.revision)
        },
        Shown("lastSyncTime", Shape.text, text: "When it was applied last (RFC 3339).") {
            $0.syncedAtMs > 0 ? .text(Timestamp.milliseconds($0.syncedAtMs)) : nil
        },
        Shown("declared", Shape.number, text: "Objects that it declares.") { .number($0.declared) },
        Shown("applied", Shape.number, text: "Of them, those that the last sync has written.") { .number($0.applied) },
        Shown("pruned", Shape.number, text: "Objects that the last sync has deleted.") { .number($0.pruned) },
        Shown("pruneWaits", Shape.number, text: "Objects that are not deleted before somebody agrees.") {
            $0.pruneWaits > 0 ? .number($0.pruneWaits) : nil
        },
        Shown("drifted", Shape.number, text: "Objects that others have changed.") { .number($0.drifted.count) },
        Shown("driftedObjects", Shape.texts, text: "Which these are.") { list($0.drifted) },
        Shown("failed", Shape.number, text: "Objects that could not be applied.") { .number($0.failed) },
        Shown("errors", Shape.texts, text: "Why, with file and line.") { list($0.errors) },
        Shown(
            "conditions", ConditionStatus.table.shapes(max: Condition.Kind.allCases.count),
            text: "What is true of it, by type."
        ) { .list($0.conditions.map(ConditionStatus.table.node)) },
    ]

    private static func list(_ texts: [String]) -> Node? { texts.isEmpty ? nil : .list(texts.map(Node.text)) }
}
