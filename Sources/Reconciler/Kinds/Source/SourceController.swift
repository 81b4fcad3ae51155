import Manifests
import Planner

/// Sources: what is declared in directories and branches is kept true.
struct SourceController: KindController {
    static let traits = KindTraits(
        state: .sync,
        ownStatus: [
            "observedGeneration", "phase", "revision", "lastSyncTime", "declared", "applied", "pruned",
            "pruneWaits", "drifted", "driftedObjects", "failed", "errors", "conditions",
        ], mirror: .declared, feedsSources: true, isFrozenWhenSpent: true)

    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) {
        if candidate.object.source == nil { candidate.object.source = SourceState() }
    }

    func declared(_ object: StoredObject, in work: inout Work) { work.queue.mark(object.key) }

    func plan(_ object: StoredObject, in work: inout Work) {
        if object.source != nil, object.deletion == nil { work.planSource(object.key) }
    }
}
