import Manifests
import Planner
import Values

/// Sources: what is declared in directories is compared with the objects, in one step and so in one transaction with
/// everything that follows from it.
extension Work {
    /// Objects with this annotation set to `disabled` are never pruned.
    static let protection = "agentos.dev/prune"

    mutating func planSource(_ key: ObjectKey) {
        guard let object = draft[key], var source = object.source else { return }
        let spec = SourceSpec(object.content["spec"] ?? .emptyMap)
        let old = source
        var events: [Event] = []
        if let snapshot = sources.snapshots[object.uid], !spec.suspend, sources.take(object.uid, into: &taken) {
            var sync = Sync(object, spec, snapshot, draft.inventory(of: object.uid)) { key in
                isDeclaredElsewhere(key, than: object.uid)
            }
            run(&sync)
            sync.settle(&source, now)
            if sync.isNewRevision(since: old) { markWaitingSources() }
            events = sync.events(since: old)
        }
        source.observedGeneration = object.generation
        var health = health(object, source, spec)
        if source.syncedAtMs != old.syncedAtMs || (old.condition(.ready)?.status == true && !health.ready.status) {
            // The time begins now: what is said is not about the time before.
            source.readyBy = Deadline(now, afterMs: spec.timeoutMs)
            health = self.health(object, source, spec)
        }
        source.set([health.ready, health.synced], generation: object.generation, now)
        queue.wake(
            key, atMs: health.ready.reason == .progressing ? now.bootMs + max(1, source.readyBy.remainingMs(now)) : nil)
        guard source != old else { return }
        var changed = draft[key] ?? object
        changed.source = source
        draft.put(changed, .status(events, by: sources.forced[object.uid] ?? .source(key)))
    }

    /// Sources that could not write everything look again: another may have let go of what they declare.
    mutating func markWaitingSources() {
        for uid in sources.snapshots.keys.sorted() {
            guard let key = base.keysByUID[uid], let source = draft[key]?.source,
                source.failed > 0 || sources.awaitingEnds.contains(uid)
            else { continue }
            sources.mark(uid)
            queue.mark(key)
        }
    }

    /// Another Source declares it now and may write it: the object is handed over and not deleted.
    private func isDeclaredElsewhere(_ key: ObjectKey, than source: UID) -> Bool {
        let place = key.tenant
        return sources.snapshots.contains { uid, snapshot in
            guard uid != source, let other = base.keysByUID[uid].flatMap({ draft[$0] }) else { return false }
            return other.deletion == nil && settings.maySourceWrite(other.key, place)
                && snapshot.declared.contains { $0.key == key }
        }
    }

    // MARK: One sync

    private mutating func run(_ sync: inout Sync) {
        let source = sync.source
        let snapshot = sync.snapshot
        let plan = planSync(
            SyncView(
                declared: snapshot.declared.map { view($0, source) },
                missing: sync.missing.map { isProtected($0, of: source.uid) }, ownedCount: sync.ownedCount,
                isWhole: snapshot.isWhole && snapshot.errors.isEmpty, drift: sync.spec.drift,
                prunes: sync.spec.prune, pruneLimitPercent: sync.spec.pruneLimitPercent,
                isForced: sources.forced[source.uid] != nil))
        sources.note(source.uid, awaitsEnd: plan.awaitsEnd)
        for (index, reason) in plan.refused { sync.refuse(index, reason) }
        sync.drifted = plan.drifted.map { snapshot.declared[$0].key }
        if sync.spec.drift == .warn {
            for index in plan.drifted where sync.isNewDrift(index) { tellDrift(index, sync) }
        }
        for index in plan.apply {
            switch apply(snapshot.declared[index], source) {
            case .done(let isChanged):
                sync.applied += isChanged ? 1 : 0
                if isChanged, plan.drifted.contains(index) { tellDrift(index, sync) }
            case .refused(let refusal): sync.refuse(index, refusal)
            }
        }
        switch plan.prune {
        case .nothing: break
        case .delete(let indices) where sync.errors.isEmpty:
            for index in indices { prune(sync.missing[index], source) }
            sync.pruned = indices.count
        case .delete(let indices): sync.pruneWaits = indices.count
        case .waitsForErrors(let count), .waitsForForce(let count): sync.pruneWaits = count
        }
    }

    private mutating func tellDrift(_ index: Int, _ sync: Sync) {
        let item = sync.snapshot.declared[index]
        guard let live = draft[item.key] else { return }
        let event = Event.drifted(from: sync.source.key, place: item.place, policy: sync.spec.drift)
        draft.record(event, of: live, by: .source(sync.source.key), from: item.place)
    }

    // MARK: Declared objects

    /// How an object stands to what is declared.
    private mutating func view(_ item: Declared, _ source: StoredObject) -> DeclaredView {
        let place = item.key.tenant
        if !settings.maySourceWrite(source.key, place) {
            return DeclaredView(live: .absent, refusal: .namespace(place, of: source.key))
        }
        guard let live = draft[item.key] else { return DeclaredView(live: .absent) }
        if live.deletion != nil { return DeclaredView(live: .ending) }
        guard let origin = live.origin, let owner = base.keysByUID[origin.source] else {
            return DeclaredView(live: .unowned)
        }
        guard origin.source == source.uid else {
            // What its first Source has dropped is free.
            let first = sources.snapshots[origin.source]
            let declares = first?.declared.contains { $0.key == item.key } ?? true
            if !declares, first?.isWhole == true { return DeclaredView(live: .unowned) }
            return DeclaredView(live: .foreign(owner, place: origin.place))
        }
        let isMoved = origin.file != item.file || origin.line != item.line
        if origin.digest != item.digest || isMoved { return DeclaredView(live: .mine(isNew: true, differs: true)) }
        // What was found equal once is compared again only when one of the two has changed.
        let isDrafted = draft.holds(item.key)
        if !isDrafted, sources.isVerified(live.uid, digest: item.digest) {
            return DeclaredView(live: .mine(isNew: false, differs: false))
        }
        let differs = isDifferent(item, source)
        if !differs, !isDrafted { sources.noteVerified(live.uid, digest: item.digest) }
        return DeclaredView(live: .mine(isNew: false, differs: differs))
    }

    /// Whether applying what is declared would change the object. What would be refused is applied all the same, so that
    /// the refusal is told.
    private func isDifferent(_ item: Declared, _ source: StoredObject) -> Bool {
        do throws(Refusal) {
            return try decide(request(item, source), by: .source(source.key)).applied.result != .unchanged
        } catch {
            return true
        }
    }

    private func request(_ item: Declared, _ source: StoredObject) -> Request.Write {
        // One snapshot may make the same object more than once; never with the same uid.
        let salt = UInt64(bitPattern: draft.overlay.resourceVersion) &* 0x9e37_79b9_7f4a_7c15
        let uid = UID(high: item.freshUID.high, low: item.freshUID.low ^ salt)
        var request = Request.Write.apply(
            key: item.key, node: item.node, manager: FieldManager.name(of: source.key), force: true, dryRun: false,
            source: item.place, freshUID: uid)
        request.origin = Origin(source: source.uid, file: item.file, line: item.line, digest: item.digest)
        return request
    }

    private enum Outcome {
        case done(isChanged: Bool)
        case refused(Refusal)
    }

    private mutating func apply(_ item: Declared, _ source: StoredObject) -> Outcome {
        do throws(Refusal) {
            let applied = try write(request(item, source), by: .source(source.key))
            return .done(isChanged: applied.result != .unchanged)
        } catch {
            return .refused(error)
        }
    }

    // MARK: Pruning

    private mutating func prune(_ live: StoredObject, _ source: StoredObject) {
        // Namespaces go with all that is in them; what is in this one is the Source's own.
        guard let object = draft[live.key], object.deletion == nil, mayBeDeleted(object) else { return }
        draft.record(
            .pruned(by: source.key), of: object, by: sources.forced[source.uid] ?? .source(source.key),
            from: object.origin?.place ?? "")
        // Its only refusal is excluded above.
        _ = try? delete(Request.Deletion(key: object.key), by: .source(source.key))
    }

    /// Whether a sync may not delete an object although it is no longer declared.
    func isProtected(_ item: StoredObject, of source: UID) -> Bool {
        if item.content[path: "metadata", "annotations"]?.stringMap[Self.protection] == "disabled" { return true }
        // With a namespace would go what others have put there.
        return item.key.kind.traits.state == .tenant
            && draft.contents(of: item.key.name).contains { $0.origin?.source != source }
    }
}
