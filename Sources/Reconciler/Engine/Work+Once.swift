import Manifests
public import Planner
import Values

/// Requests that carry a key are carried out once: the row of the answer is of the same transaction as the change.
extension Work {
    mutating func once(_ request: Request) -> Answer {
        guard let once = request.once else { return answer(request) }
        let id = KeptAnswer.ID(principal: request.principal.user, key: once.key)
        if let kept = draft.keptAnswer(id), kept.atMs > now.wallMs - Limits.keptAnswerMs {
            return kept.digest == once.digest ? .kept(kept) : .failure(.keyReused(once.key))
        }
        if base.keptAnswers.count + draft.changes.answers.count >= Limits.keptAnswersMax {
            return .failure(.tooMany(retryAfterMs: 60_000))
        }
        let answer = answer(request)
        guard let text = Self.kept(answer) else { return answer }
        draft.keep(
            KeptAnswer(
                principal: id.principal, key: id.key, digest: once.digest, answer: text, atMs: now.wallMs))
        return answer
    }

    /// What is kept of an answer: which object it was about, and whether it was new. A refusal is not kept, as the same
    /// request may be carried out later.
    private static func kept(_ answer: Answer) -> String? {
        switch answer {
        case .applied(let applied):
            let object = applied.object
            return JSONWriter.text(
                .map([
                    ("created", Node(.bool(applied.result == .created))), ("kind", .text(object.key.kind.rawValue)),
                    ("namespace", .text(object.key.namespace)), ("name", .text(object.key.name)),
                    ("uid", .text(object.uid.hex)), ("createdAtMs", .number(object.createdAtMs)),
                ]))
        case .deleted, .done: return "{}"
        case .execution, .kept, .failure: return nil
        }
    }
}

extension KeptAnswer {
    /// The object that the answer was about, and whether it was new then.
    public var object: (key: ObjectKey, uid: UID, createdAtMs: Int64, isCreated: Bool)? {
        guard let node = JSONReader.read(answer), let kind = node["kind"]?.string.flatMap(Kind.init),
            let name = node["name"]?.string, let uid = node["uid"]?.string.flatMap({ UID($0) })
        else { return nil }
        let key = ObjectKey(kind, namespace: node["namespace"]?.string ?? "", name: name)
        return (key, uid, Int64(node["createdAtMs"]?.int ?? 0), node["created"]?.bool ?? false)
    }
}
