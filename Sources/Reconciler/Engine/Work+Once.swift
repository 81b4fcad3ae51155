import Planner
import Values

/// Requests that carry a key are carried out once: the row of the answer is of the same transaction as the change.
extension Work {
    mutating func once(_ request: Request) -> Answer {
        guard let once = request.once else { return answer(request) }
        let id = KeptAnswer.ID(principal: request.principal.user, key: once.key)
        if let kept = draft.keptAnswer(id), kept.isKept(now.wallMs) {
            return kept.digest == once.digest ? .kept(kept) : .failure(.keyReused(once.key))
        }
        if let waitMs = draft.keptAnswersFullForMs(id.principal) { return .failure(.tooMany(retryAfterMs: waitMs)) }
        let answer = answer(request)
        let about: KeptAnswer.About?
        switch answer {
        case .applied(let applied):
            about = KeptAnswer.About(
                key: applied.object.key, uid: applied.object.uid, createdAtMs: applied.object.createdAtMs,
                isCreated: applied.result == .created)
        case .deleted, .done: about = nil
        // A refusal is not kept, as the same request may be carried out later.
        case .execution, .forecast, .kept, .failure: return answer
        }
        draft.keep(
            KeptAnswer(principal: id.principal, key: id.key, digest: once.digest, object: about, atMs: now.wallMs))
        return answer
    }
}
