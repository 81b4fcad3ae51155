import Manifests
import Planner
import Values

/// What a write would make of one object, while it is decided whether it may.
struct Candidate: Sendable {
    let write: Request.Write
    let principal: Principal
    /// The object as it is; nil when it is new.
    let live: StoredObject?
    var object: StoredObject
    /// What is declared differs from what was; so does the part that the object's generation counts.
    let isContentChanged: Bool
    let isSpecChanged: Bool
    /// Fields whose change restarts replicas.
    var restarts: [String] = []
    /// The Objective whose freeze does not hold for this change, and why.
    var overrides: (objective: String, reason: String)?

    var key: ObjectKey { write.key }
}

/// One step of admission: looks at a candidate beside all that is drafted, completes it, or refuses it.
struct AdmissionStep: Sendable {
    let admit: @Sendable (inout Candidate, Work) throws(Refusal) -> Void

    /// All steps, in the order in which a candidate passes them.
    static let chain: [AdmissionStep] = [.ending, .readable, .owners, .kind, .frozen, .room]

    /// An object that ends lets go, and takes nothing new.
    private static let ending = AdmissionStep { candidate, _ throws(Refusal) in
        guard let live = candidate.live, live.deletion != nil else { return }
        let isSame = candidate.object.content.withoutMetadata == live.content.withoutMetadata
        guard isSame, Set(candidate.object.finalizers).isSubset(of: live.finalizers) else {
            throw .conflict(candidate.key, .beingDeleted)
        }
    }

    /// What is stored can be read again, whichever way it came in.
    private static let readable = AdmissionStep { candidate, _ throws(Refusal) in
        let (object, live) = (candidate.object, candidate.live)
        func refuse(_ problem: StoredProblem) -> Refusal {
            .invalid(candidate.key, [Refusal.Cause(reason: problem.reason, message: problem.words, field: "")])
        }
        if candidate.isContentChanged, let problem = object.content.storedProblem {
            // An object that ends lets go, whatever a store of another version has let in.
            let isOld = live.map { $0.deletion != nil && $0.content.storedProblem == problem } ?? false
            if !isOld { throw refuse(problem) }
        }
        if object.managers != live?.managers ?? [], let problem = object.managers.storedProblem {
            throw refuse(problem)
        }
    }

    /// Owners are of the same namespace, or of none.
    private static let owners = AdmissionStep { candidate, _ throws(Refusal) in
        guard candidate.isContentChanged else { return }
        let owners = candidate.object.owners
        func refuse(_ message: String) -> Refusal {
            .invalid(candidate.key, [Refusal.Cause(message: message, field: "metadata.ownerReferences")])
        }
        if owners.count(where: \.isController) > 1 { throw refuse("only one owner can be the controller") }
        for owner in owners {
            guard let key = owner.key(for: candidate.key) else { continue }
            if key.kind.isNamespaced, !candidate.key.kind.isNamespaced {
                throw refuse("an object without a namespace cannot have an owner of one")
            }
        }
    }

    /// What is particular to the kind.
    private static let kind = AdmissionStep { candidate, work throws(Refusal) in
        guard candidate.object.deletion == nil else { return }
        try candidate.key.kind.controller.accept(&candidate, in: work)
    }

    private static let room = AdmissionStep { candidate, work throws(Refusal) in
        guard candidate.live == nil else { return }
        if work.base.objects.count + work.draft.changes.objects.count >= Limits.objectsMax {
            throw .forbidden(candidate.key, .tooManyObjects)
        }
    }
}
