import Manifests
import Planner
import Values

/// The end of objects: asked for, waited for, done; and what goes with them.
extension Work {
    /// Holds an object until those that belong to it are gone.
    static let foreground = "foregroundDeletion"

    mutating func delete(_ delete: Request.Deletion, by principal: Principal) throws(Refusal) -> StoredObject? {
        let key = delete.key
        guard let live = draft[key] else { throw .notFound(key) }
        try key.kind.controller.checkDeletion(of: live)
        try delete.preconditions.check(live, key)
        switch delete.propagation {
        case .background: markDeleted(live, delete.graceMs, by: principal)
        case .orphan:
            for dependent in draft.dependents(ownedBy: live.uid) { orphan(dependent, of: live.uid, by: principal) }
            markDeleted(live, delete.graceMs, by: principal)
        case .foreground:
            var held = live
            if live.deletion == nil, !draft.dependents(ownedBy: live.uid).isEmpty {
                held.set("finalizers", (live.finalizers + [Self.foreground]).map(Node.text))
            }
            markDeleted(held, delete.graceMs, by: principal)
        }
        finishDeletion(key)
        return draft[key]
    }

    /// Begins the end of an object; what goes with it follows when it is looked at in this step.
    mutating func markDeleted(_ live: StoredObject, _ graceMs: Int64?, by principal: Principal) {
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
    }

    /// Removes a deleted object once nothing holds it any more.
    mutating func finishDeletion(_ key: ObjectKey) {
        releaseForeground(key)
        guard let object = draft[key], object.deletion != nil, object.finalizers.isEmpty,
            key.kind.controller.mayGo(object, in: self)
        else { return }
        draft.remove(object)
        queue.wake(key, atMs: nil)
        queue.mark(draft.dependents(ownedBy: object.uid).map(\.key))
        queue.mark(object.owners.compactMap { $0.key(for: key) })
        if let source = object.origin?.source {
            sources.mark(source)
            markSource(source)
        }
        if object.origin != nil || !sources.awaitingEnds.isEmpty { markWaitingSources() }
        if object.agent != nil { markNeighbours(object) }
        if key.kind.isNamespaced, !key.namespace.isEmpty {
            let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
            if draft[namespace]?.deletion != nil { queue.mark(namespace) }
        }
    }

    // MARK: Owners

    /// An object whose owners are all gone goes after them.
    ///
    /// - Returns: whether it goes.
    mutating func collect(_ object: StoredObject) -> Bool {
        guard object.deletion == nil, mayBeDeleted(object) else { return false }
        let owners = object.owners
        guard !owners.isEmpty, owners.allSatisfy({ isGone($0, from: object.key) }) else { return false }
        markDeleted(object, nil, by: .garbageCollector)
        return true
    }

    func mayBeDeleted(_ object: StoredObject) -> Bool {
        do throws(Refusal) { try object.key.kind.controller.checkDeletion(of: object) } catch { return false }
        return true
    }

    /// Owners of kinds that live elsewhere are taken to be there.
    private func isGone(_ owner: OwnerReference, from object: ObjectKey) -> Bool {
        guard let key = owner.key(for: object) else { return false }
        return draft[key].map { $0.uid != owner.uid } ?? true
    }

    private mutating func orphan(_ dependent: StoredObject, of owner: UID, by principal: Principal) {
        var object = dependent
        let left = (object.content[path: "metadata", "ownerReferences"]?.list ?? []).filter {
            OwnerReference($0).uid != owner
        }
        object.set("ownerReferences", left)
        draft.put(object, .declared(.updated(manager: Principal.garbageCollector.user, restarts: []), by: principal))
    }

    /// An object that is deleted in the foreground ends what belongs to it first.
    private mutating func releaseForeground(_ key: ObjectKey) {
        guard let object = draft[key], object.deletion != nil, object.finalizers.contains(Self.foreground) else {
            return
        }
        let dependents = draft.dependents(ownedBy: object.uid).filter(mayBeDeleted)
        for dependent in dependents where dependent.deletion == nil {
            markDeleted(dependent, nil, by: .garbageCollector)
        }
        let isHeld = dependents.contains { dependent in
            dependent.owners.contains { $0.uid == object.uid && $0.blocksDeletion }
        }
        guard !isHeld, var released = draft[key] else { return }
        released.set("finalizers", released.finalizers.filter { $0 != Self.foreground }.map(Node.text))
        draft.put(released, .untold)
    }
}

extension StoredObject {
    /// Puts a list into the metadata; none when it is empty.
    fileprivate mutating func set(_ name: String, _ items: [Node]) {
        var metadata = content["metadata"] ?? .emptyMap
        metadata[name] = items.isEmpty ? nil : .list(items)
        content["metadata"] = metadata.map?.isEmpty == true ? nil : metadata
    }
}
