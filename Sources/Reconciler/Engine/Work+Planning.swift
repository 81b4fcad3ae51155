import Manifests
import Planner
import Values

extension Work {
    /// Plans every dirty key and what that makes dirty, first those that should start first.
    mutating func planAll() {
        for (run, driver) in facts.orphans.sorted(by: { $0.key < $1.key }) {
            if case .inFlight = facts[run].operation { continue }
            // A batch plans more than once in a step.
            if asked[run] != nil { continue }
            ask(Operation(run: run, driver: driver, verb: .kill))
        }
        for run in facts.ahead.sorted() { skip(to: run) }
        while true {
            let keys = queue.take(into: &taken, rank: draft.rank)
            if keys.isEmpty { return }
            for key in keys { plan(key) }
            queue.release(slots: settings.startsInFlight - draft.usage.starting, rank: draft.rank)
            if draft.usage.hasLess(than: base.usage) { queue.releaseRoom() }
        }
    }

    private mutating func plan(_ key: ObjectKey) {
        guard let object = draft[key] else { return }
        if collect(object) { return }
        key.kind.controller.plan(object, in: &self)
        finishDeletion(key)
    }

    mutating func markSource(_ uid: UID) {
        if let key = base.keysByUID[uid] { queue.mark(key) }
    }
}

extension Draft {
    /// Higher priority first, then age.
    func rank(_ key: ObjectKey) -> WorkQueue.Rank {
        let object = self[key]
        return WorkQueue.Rank(
            priority: object?.agent?.effective.spec.priority ?? 0, createdAtMs: object?.createdAtMs ?? 0, key: key)
    }
}
