import Manifests
import Planner
import Values

extension Work {
    mutating func answer(_ request: Request) -> Answer {
        do throws(Refusal) {
            let principal = request.principal
            switch request.verb {
            case .apply(let apply): return .applied(try self.apply(apply, by: principal))
            case .delete(let delete): return .deleted(try self.delete(delete, by: principal))
            case .replay(let position): return try resolveDeadLetter(position, skip: false, by: principal)
            case .skip(let position): return try resolveDeadLetter(position, skip: true, by: principal)
            case .acknowledge(let name, let position, let offset): return try acknowledge(name, position, offset)
            case .removeConsumer(let name): return try removeConsumer(name)
            case .execute(let key, let ordinal, let command):
                return try execute(key, ordinal, command, by: principal)
            }
        } catch {
            return .failure(error)
        }
    }

    /// What runs beside an agent is in the audit before it runs.
    private mutating func execute(
        _ key: ObjectKey, _ ordinal: Int, _ command: [String], by principal: Principal
    ) throws(Refusal) -> Answer {
        guard let object = draft[key], let agent = object.agent else { throw .notFound(key) }
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }) else {
            throw .noReplica(key, ordinal: ordinal)
        }
        let isRunning =
            switch replica.phase {
            case .ready, .starting(_, seen: true), .stopping: true
            case .starting, .created, .scheduled, .failed, .backingOff, .stopped, .completed: false
            }
        guard isRunning, let run = replica.phase.run else {
            throw .conflict(key, .notRunning(ordinal: ordinal, replica.phase.name))
        }
        if run.isFrozen { throw .conflict(key, .frozen(ordinal: ordinal)) }
        let words = JSONWriter.text(.list(command.map(Node.text))).prefix(1024)
        draft.audit("exec", key, object.uid, by: principal, detail: "run \(run.id.text): \(words)")
        return .execution(run.id, driver: run.spec.driver)
    }

    // MARK: Delete

    mutating func delete(_ delete: Request.Deletion, by principal: Principal) throws(Refusal) -> StoredObject? {
        let key = delete.key
        guard let live = draft[key] else { throw .notFound(key) }
        if key.kind == .namespace, key.name == "default" { throw .forbidden(key, .defaultNamespace) }
        if let uid = delete.uid, uid != live.uid.text { throw .conflict(key, .uid(expected: uid, found: live.uid)) }
        if let version = delete.resourceVersion, version != String(live.resourceVersion) {
            throw .conflict(key, .resourceVersion(expected: version, found: live.resourceVersion))
        }
        markDeleted(live, delete.graceMs, by: principal)
        if key.kind == .namespace {
            for inner in draft.contents(of: key.name) { markDeleted(inner, delete.graceMs, by: principal) }
        }
        finishDeletion(key)
        return draft[key]
    }

    private mutating func markDeleted(_ live: StoredObject, _ graceMs: Int64?, by principal: Principal) {
        var object = live
        let isNew = object.deletion == nil
        let shortens = graceMs.map { new in object.deletion?.graceMs.map { new < $0 } ?? !isNew } ?? false
        guard isNew || shortens else { return }
        object.deletion = StoredObject.Deletion(atMs: object.deletion?.atMs ?? now.wallMs, graceMs: graceMs)
        if isNew {
            object.generation += 1
            draft.put(object, .declared(.deletionRequested, by: principal))
        } else {
            draft.put(object, .untold)
        }
        queue.mark(object.key)
        if object.agent != nil { markNeighbours(object) }
        if object.key.kind != .agent { finishDeletion(object.key) }
    }

    /// Removes a deleted object once nothing holds it any more.
    mutating func finishDeletion(_ key: ObjectKey) {
        guard let object = draft[key], object.deletion != nil, object.finalizers.isEmpty else { return }
        if let agent = object.agent, agent.replicas.contains(where: { $0.phase.isLive }) { return }
        if key.kind == .namespace, draft.hasContents(key.name) { return }
        draft.remove(object)
        queue.wake(key, atMs: nil)
        if let source = object.origin?.source {
            sources.mark(source)
            markSource(source)
        }
        if object.origin != nil || !sources.awaitingEnds.isEmpty { markWaitingSources() }
        if object.agent != nil { markNeighbours(object) }
        if key.kind.isNamespaced, !key.namespace.isEmpty {
            let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
            if draft[namespace]?.deletion != nil { finishDeletion(namespace) }
        }
    }
}
