public import Manifests
import Values

/// What one declared object looks like to the plan of its Source.
public struct DeclaredView: Sendable, Equatable {
    /// The object that there is.
    public enum Live: Sendable, Equatable {
        case absent
        /// It is being deleted; it is made again when it is gone.
        case ending
        /// Nobody's, or that of a Source that is gone.
        case unowned
        /// `isNew`: what is declared has changed since it was applied. `differs`: the object is not as declared.
        case mine(isNew: Bool, differs: Bool)
        /// Another Source declared it first, at this place.
        case foreign(ObjectKey, place: String)
    }

    /// Why a declared object may not be written.
    public enum Refusal: Sendable, Equatable {
        /// The Source has no leave to write to this namespace.
        case namespace(String, of: ObjectKey)
        case declaredBy(ObjectKey, place: String)
    }

    public var live: Live
    public var refusal: Refusal?

    public init(live: Live, refusal: Refusal? = nil) {
        self.live = live
        self.refusal = refusal
    }
}

/// Everything that one sync of a Source depends on.
public struct SyncView: Sendable {
    public var declared: [DeclaredView]
    /// Its objects that are not declared any more: which of them are protected from deletion.
    public var missing: [Bool]
    /// All that it owns.
    public var ownedCount: Int
    /// Everything was read without an error.
    public var isWhole: Bool
    public var drift: SourceSpec.Drift
    public var prunes: Bool
    public var pruneLimitPercent: Int
    /// Somebody has asked to delete all that is no longer declared.
    public var isForced: Bool

    public init(
        declared: [DeclaredView], missing: [Bool], ownedCount: Int, isWhole: Bool, drift: SourceSpec.Drift,
        prunes: Bool, pruneLimitPercent: Int, isForced: Bool
    ) {
        self.declared = declared
        self.missing = missing
        self.ownedCount = ownedCount
        self.isWhole = isWhole
        self.drift = drift
        self.prunes = prunes
        self.pruneLimitPercent = pruneLimitPercent
        self.isForced = isForced
    }
}

/// What a sync does.
public struct SyncPlan: Sendable, Equatable {
    /// What happens to objects that are no longer declared.
    public enum Prune: Sendable, Equatable {
        case nothing
        /// Indices of `missing`.
        case delete([Int])
        /// Something could not be read or applied: what is missing may only be out of sight.
        case waitsForErrors(Int)
        case waitsForForce(Int)
    }

    /// Indices of `declared` to apply, in their order.
    public var apply: [Int] = []
    /// Indices of `declared` that others have changed; those that are corrected are in `apply` too.
    public var drifted: [Int] = []
    /// Indices of `declared` that may not be written, with the reason.
    public var refused: [(index: Int, reason: DeclaredView.Refusal)] = []
    /// Something that is declared is being deleted; it is made again when it is gone.
    public var awaitsEnd = false
    public var prune = Prune.nothing

    public init() {}

    public static func == (a: SyncPlan, b: SyncPlan) -> Bool {
        a.apply == b.apply && a.drifted == b.drifted && a.prune == b.prune && a.awaitsEnd == b.awaitsEnd
            && a.refused.elementsEqual(b.refused) { $0 == $1 }
    }
}

/// The pure decision about a sync. Deletions are the last thing that is decided and need a whole view.
public func planSync(_ view: SyncView) -> SyncPlan {
    var plan = SyncPlan()
    for (index, item) in view.declared.enumerated() {
        if let reason = item.refusal {
            plan.refused.append((index, reason))
            continue
        }
        switch item.live {
        case .foreign(let owner, let place): plan.refused.append((index, .declaredBy(owner, place: place)))
        case .ending: plan.awaitsEnd = true
        case .mine(isNew: false, differs: false): break
        case .absent, .unowned, .mine(isNew: true, _): plan.apply.append(index)
        case .mine(isNew: false, differs: true):
            plan.drifted.append(index)
            if view.drift == .correct { plan.apply.append(index) }
        }
    }
    plan.prune = prune(view, hasErrors: !view.isWhole || !plan.refused.isEmpty)
    return plan
}

private func prune(_ view: SyncView, hasErrors: Bool) -> SyncPlan.Prune {
    guard view.prunes else { return .nothing }
    let candidates = view.missing.indices.filter { !view.missing[$0] }
    if candidates.isEmpty { return .nothing }
    if hasErrors { return .waitsForErrors(candidates.count) }
    return candidates.count <= pruneMost(view) || view.isForced ? .delete(candidates) : .waitsForForce(candidates.count)
}

/// How many objects one sync deletes by itself: the share, rounded down, but one at least, so that the last object of two
/// can go; and none when nothing is declared any more, which is more often a wrong path than a wish.
private func pruneMost(_ view: SyncView) -> Int {
    if view.pruneLimitPercent >= 100 { return view.ownedCount }
    if view.pruneLimitPercent <= 0 || view.declared.isEmpty { return 0 }
    return max(1, view.ownedCount * view.pruneLimitPercent / 100)
}
