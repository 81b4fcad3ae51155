import Manifests
public import Planner
public import Values

/// An object that was found to be as declared.
struct Verified: Sendable, Equatable {
    var digest: UInt64
    var version: Int64
}

/// Sources: what is declared in directories is compared with the objects, in one step and so in one transaction with
/// everything that follows from it.
extension Engine {
    /// Keeps this many characters of one error.
    private static let errorLength = 500
    static let protection = "agentos.dev/prune"

    mutating func planSource(_ key: ObjectKey, _ step: inout Step, _ now: Moment) {
        guard let object = object(key, step), var source = object.source else { return }
        let spec = SourceSpec(object.content["spec"] ?? .emptyMap)
        let old = source
        var events: [(type: String, data: [(String, Node?)])] = []
        if let snapshot = snapshots[object.uid], !spec.suspend, unsynced.remove(object.uid) != nil {
            step.synced.insert(object.uid)
            sync(object, &source, spec, snapshot, &events, &step, now)
        }
        source.observedGeneration = object.generation
        let conditions = conditions(object, source, spec, step, now)
        if source.syncedAtMs != old.syncedAtMs || (isReady(old) && conditions.first?.status == false) {
            source.readyBy = Deadline(now, afterMs: spec.timeoutMs)
        }
        source.set(conditions, generation: object.generation, now)
        let isWaiting = conditions.first?.reason == "Progressing"
        timers.set(key, at: isWaiting ? now.bootMs + max(1, source.readyBy.remainingMs(now)) : nil)
        guard source != old else { return }
        var changed = self.object(key, step) ?? object
        changed.source = source
        for event in events {
            tell(
                event.type, changed, actor: forced[object.uid] ?? Self.actor(object), verb: "sync",
                detail: source.revision,
                data: event.data, &step, now)
        }
        write(changed, statusOnly: true, &step)
    }

    private func isReady(_ source: SourceState) -> Bool { source.condition(.ready)?.status == true }

    private static func actor(_ source: StoredObject) -> String {
        "source:\(source.key.namespace)/\(source.key.name)"
    }

    /// The field manager of a Source.
    static func manager(_ source: StoredObject) -> String { "source-\(source.key.namespace).\(source.key.name)" }

    /// All objects that name this Source.
    func inventory(_ uid: UID, _ step: Step) -> [StoredObject] {
        let drafted = step.draft.objects.values.compactMap { $0 }.filter { $0.origin?.source == uid }.map(\.key)
        return (state.origins[uid] ?? []).union(drafted).sorted().compactMap { key in
            object(key, step).flatMap { $0.origin?.source == uid ? $0 : nil }
        }
    }

    /// Sources that could not write everything look again: another may have let go of what they declare.
    mutating func markWaitingSources(_ step: Step) {
        for uid in snapshots.keys.sorted() {
            guard let key = state.keysByUID[uid], object(key, step)?.source?.failed ?? 0 > 0 else { continue }
            unsynced.insert(uid)
            dirty.insert(key)
        }
    }

    // MARK: One sync

    private mutating func sync(
        _ object: StoredObject, _ source: inout SourceState, _ spec: SourceSpec, _ snapshot: SourceSnapshot,
        _ events: inout [(type: String, data: [(String, Node?)])], _ step: inout Step, _ now: Moment
    ) {
        let keys = Set(snapshot.declared.map(\.key))
        let owned = inventory(object.uid, step)
        let missing = owned.filter { !keys.contains($0.key) && $0.deletion == nil }
        let plan = planSync(
            SyncView(
                declared: snapshot.declared.map { view($0, object, step, now) },
                missing: missing.map { isProtected($0, of: object.uid, step) }, ownedCount: owned.count,
                isWhole: snapshot.isWhole && snapshot.errors.isEmpty, drift: spec.drift,
                prunes: spec.prune, pruneLimitPercent: spec.pruneLimitPercent, isForced: forced[object.uid] != nil))
        var errors = snapshot.errors
        for (index, reason) in plan.refused { errors.append(Self.error(snapshot.declared[index], "", reason)) }
        func tellDrift(_ index: Int) {
            let item = snapshot.declared[index]
            guard let live = self.object(item.key, step) else { return }
            tell(
                "object.drifted", live, actor: Self.actor(object), verb: "drifted", source: "\(item.file):\(item.line)",
                detail: spec.drift.rawValue, data: sourceData(object, item, [("policy", .text(spec.drift.rawValue))]),
                &step, now)
        }
        let drifted = plan.drifted.map { snapshot.declared[$0].key }.map { "\($0.kind.qualifiedSingular)/\($0.name)" }
        if spec.drift == .warn {
            for (index, name) in zip(plan.drifted, drifted) where !source.drifted.contains(name) { tellDrift(index) }
        }
        var applied = 0
        for index in plan.apply {
            switch apply(snapshot.declared[index], object, &step, now) {
            case .done(let isChanged):
                applied += isChanged ? 1 : 0
                if isChanged, plan.drifted.contains(index) { tellDrift(index) }
            case .failed(let why): errors += why
            }
        }
        var pruned = 0
        source.pruneWaits = 0
        switch plan.prune {
        case .nothing: break
        case .delete(let indices) where errors.isEmpty:
            for index in indices { prune(missing[index], object, &step, now) }
            pruned = indices.count
        case .delete(let indices): source.pruneWaits = indices.count
        case .waitsForErrors(let count), .waitsForForce(let count): source.pruneWaits = count
        }
        let words = errors.prefix(Limits.sourceErrorsMax).map { String($0.prefix(Self.errorLength)) }
        let isNewFailure = !words.isEmpty && words != source.errors
        source.drifted = spec.drift == .warn ? drifted : []
        source.failed = errors.count
        source.errors = words
        source.declared = snapshot.declared.count
        let isNewRevision = errors.isEmpty && source.revision != snapshot.revision
        if isNewRevision || applied > 0 || pruned > 0 {
            source.revision = snapshot.revision
            source.applied = applied
            source.pruned = pruned
            source.syncedAtMs = now.wallMs
            if isNewRevision { markWaitingSources(step) }
            events.append(
                (
                    "source.synced",
                    [
                        ("sourceRevision", .text(snapshot.revision)), ("declared", .number(snapshot.declared.count)),
                        ("applied", .number(applied)), ("pruned", .number(pruned)),
                        ("drifted", .number(plan.drifted.count)), ("failed", .number(errors.count)),
                    ]
                ))
        }
        if isNewFailure {
            events.append(
                (
                    "source.failed",
                    [
                        ("sourceRevision", .text(snapshot.revision)), ("failed", .number(errors.count)),
                        ("errors", .list(source.errors.map(Node.text))),
                    ]
                ))
        }
    }

    private func sourceData(
        _ source: StoredObject, _ item: Declared?, _ more: [(String, Node?)] = []
    ) -> [(String, Node?)] {
        [
            ("source", .text("\(source.key.namespace)/\(source.key.name)")),
            ("file", item.map { .text("\($0.file):\($0.line)") }),
        ] + more
    }

    private static func error(_ item: Declared, _ field: String, _ message: String) -> String {
        let mark = field.isEmpty ? nil : item.node.mark(of: field)
        let (line, column) = mark.map { (Int($0.line), Int($0.column)) } ?? (item.line, item.column)
        let name = "\(item.key.kind.rawValue) \"\(item.key.name)\""
        return "\(item.file):\(line):\(column): \(field.isEmpty ? name : field): \(message)"
    }

    /// How an object stands to what is declared. What was found equal once is compared again only when one of the two
    /// has changed.
    private mutating func view(_ item: Declared, _ source: StoredObject, _ step: Step, _ now: Moment) -> DeclaredView {
        let place = item.key.kind == .namespace ? item.key.name : item.key.namespace
        if !settings.maySourceWrite(source.key, place) {
            let name = "\(source.key.namespace)/\(source.key.name)"
            return DeclaredView(
                live: .absent,
                refusal: "the Source may not write to the namespace \(place); the daemon's option "
                    + "--source-namespaces \(name)=\(place) allows it")
        }
        guard let live = object(item.key, step) else { return DeclaredView(live: .absent) }
        if live.deletion != nil { return DeclaredView(live: .ending) }
        guard let origin = live.origin, let owner = state.keysByUID[origin.source] else {
            return DeclaredView(live: .unowned)
        }
        guard origin.source == source.uid else {
            // What its first Source has dropped is free.
            let declares = snapshots[origin.source]?.declared.contains { $0.key == item.key } ?? true
            if !declares, snapshots[origin.source]?.isWhole == true { return DeclaredView(live: .unowned) }
            return DeclaredView(live: .foreign("Source \(owner.namespace)/\(owner.name) at \(origin.place)"))
        }
        let isMoved = origin.file != item.file || origin.line != item.line
        if origin.digest != item.digest || isMoved { return DeclaredView(live: .mine(isNew: true, differs: true)) }
        let now = Verified(digest: item.digest, version: contentVersions[live.uid] ?? 0)
        if verified[live.uid] == now, step.draft.objects[item.key] == nil {
            return DeclaredView(live: .mine(isNew: false, differs: false))
        }
        let differs = isDifferent(item, live, source)
        if !differs { verified[live.uid] = now }
        return DeclaredView(live: .mine(isNew: false, differs: differs))
    }

    /// Whether applying what is declared would change the object.
    private mutating func isDifferent(_ item: Declared, _ live: StoredObject, _ source: StoredObject) -> Bool {
        var trial = Step()
        trial.draft = Draft(over: state)
        trial.draft.objects[item.key] = .some(live)
        var request = request(item, source)
        request.dryRun = true
        // What cannot be judged is tried, and then told.
        guard
            case .applied(_, let result, _)? = try? apply(
                request, actor: "", &trial, Moment(wallMs: 0, boot: 0, bootMs: 0))
        else { return true }
        return result != .unchanged
    }

    private func request(_ item: Declared, _ source: StoredObject, _ step: Step? = nil) -> Request.Apply {
        // One snapshot may make the same object more than once; never with the same uid.
        let salt = UInt64(bitPattern: step?.draft.resourceVersion ?? 0) &* 0x9e37_79b9_7f4a_7c15
        let uid = UID(high: item.freshUID.high, low: item.freshUID.low ^ salt)
        var request = Request.Apply(
            key: item.key, node: item.node, manager: Self.manager(source), force: true, dryRun: false,
            source: "\(item.file):\(item.line)", freshUID: uid)
        request.origin = Origin(source: source.uid, file: item.file, line: item.line, digest: item.digest)
        return request
    }

    private enum Outcome {
        case done(isChanged: Bool)
        case failed([String])
    }

    private mutating func apply(
        _ item: Declared, _ source: StoredObject, _ step: inout Step, _ now: Moment
    ) -> Outcome {
        do throws(Failure) {
            let answer = try apply(request(item, source, step), actor: Self.actor(source), &step, now)
            guard case .applied(_, let result, _) = answer else { return .done(isChanged: false) }
            return .done(isChanged: result != .unchanged)
        } catch {
            let causes = error.causes.isEmpty ? [("", error.message)] : error.causes.map { ($0.field, $0.message) }
            return .failed(causes.map { Self.error(item, $0.0, $0.1) })
        }
    }

    private mutating func prune(_ live: StoredObject, _ source: StoredObject, _ step: inout Step, _ now: Moment) {
        guard let object = object(live.key, step), object.deletion == nil else { return }
        // Namespaces go with all that is in them; what is in this one is the Source's own.
        if object.key.kind == .namespace, object.key.name == "default" { return }
        tell(
            "object.pruned", object, actor: forced[source.uid] ?? Self.actor(source), verb: "prune",
            source: object.origin?.place ?? "", detail: "no longer declared", data: sourceData(source, nil), &step, now)
        let key = object.key
        // Its only refusal is excluded above.
        _ = try? delete(Request.Deletion(key: key), actor: Self.actor(source), &step, now)
    }

    /// Whether a sync may not delete an object although it is no longer declared.
    private func isProtected(_ item: StoredObject, of source: UID, _ step: Step) -> Bool {
        if item.content[path: "metadata", "annotations"]?.stringMap[Self.protection] == "disabled" { return true }
        // With a namespace would go what others have put there.
        return item.key.kind == .namespace
            && contents(of: item.key.name, step).contains { $0.origin?.source != source }
    }

    // MARK: Health

    private func conditions(
        _ object: StoredObject, _ source: SourceState, _ spec: SourceSpec, _ step: Step, _ now: Moment
    ) -> [Condition] {
        let synced = synced(object, source, spec)
        func ready(_ status: Bool, _ reason: String, _ message: String) -> [Condition] {
            [Condition(kind: .ready, status: status, reason: reason, message: message), synced]
        }
        guard synced.status else { return ready(false, synced.reason, synced.message) }
        var waiting: [String] = []
        var kept = ""
        for item in inventory(object.uid, step) {
            if item.deletion != nil { continue }
            if item.key.kind == .namespace, kept.isEmpty, let snapshot = snapshots[object.uid],
                !snapshot.declared.contains(where: { $0.key == item.key }), isProtected(item, of: object.uid, step)
            {
                kept = "; kept: the namespace \(item.key.name), which is protected or holds what others have applied"
            }
            if let inner = item.source, inner.condition(.ready)?.status != true {
                waiting.append("Source \(item.key.name)")
            }
            guard let agent = item.agent else { continue }
            let agentSpec = agent.effective.spec
            if agent.summary.isReady || agent.summary.isCompleted || agentSpec.suspend || agentSpec.replicas == 0 {
                continue
            }
            let progressing = agent.summary.conditions.first { $0.condition.kind == .progressing }?.condition
            if progressing?.status == false {
                let why = agent.summary.conditions.first { $0.condition.kind == .ready }?.condition.message ?? ""
                return ready(false, "AgentFailed", "agent \(item.key.namespace)/\(item.key.name) has failed: \(why)")
            }
            waiting.append("agent \(item.key.namespace)/\(item.key.name)")
        }
        if let first = waiting.first {
            let others = waiting.count > 1 ? " and \(waiting.count - 1) more" : ""
            if source.readyBy.isDue(now), source.syncedAtMs > 0 {
                return ready(
                    false, "HealthTimeout", "not Ready within \(spec.timeoutMs / 1000) s: \(first)\(others)")
            }
            return ready(false, "Progressing", "waiting for \(first)\(others)")
        }
        let drift =
            source.drifted.isEmpty ? "" : "; changed by others: \(source.drifted.prefix(5).joined(separator: ", "))"
        return ready(
            true, source.drifted.isEmpty ? "Synced" : "Drifted",
            "\(source.declared) object\(source.declared == 1 ? " is" : "s are") as declared\(drift)\(kept)")
    }

    private func synced(_ object: StoredObject, _ source: SourceState, _ spec: SourceSpec) -> Condition {
        func condition(_ status: Bool, _ reason: String, _ message: String) -> Condition {
            Condition(kind: .synced, status: status, reason: reason, message: message)
        }
        if spec.suspend { return condition(false, "Suspended", "suspend is set") }
        if !source.errors.isEmpty {
            let more = source.failed > source.errors.count ? "\n… and \(source.failed - source.errors.count) more" : ""
            let held =
                source.pruneWaits > 0 ? "\n\(source.pruneWaits) objects are not deleted before this is resolved" : ""
            return condition(false, "SyncFailed", source.errors.joined(separator: "\n") + more + held)
        }
        if snapshots[object.uid] == nil, source.syncedAtMs == 0 {
            return condition(false, "Pending", "nothing was read yet")
        }
        if source.pruneWaits > 0 {
            return condition(
                false, "PruneLimit",
                "\(source.pruneWaits) objects are no longer declared, more than one sync may delete; "
                    + "'agentos-apply sync \(object.key.name) -n \(object.key.namespace) --force' deletes them")
        }
        return condition(true, "Synced", "revision \(source.revision) is applied")
    }

    // MARK: Preview

    /// What the next sync would change: each object as it is and as it would be; and what it would delete.
    public func preview(_ key: ObjectKey) -> (changed: [(live: Node?, merged: Node)], pruned: [StoredObject])? {
        guard let source = state.objects[key], source.source != nil, let snapshot = snapshots[source.uid] else {
            return nil
        }
        var engine = self
        var step = Step()
        step.draft = Draft(over: state)
        var changed: [(live: Node?, merged: Node)] = []
        for item in snapshot.declared {
            var request = request(item, source)
            request.dryRun = true
            let answer = try? engine.apply(request, actor: "", &step, Moment(wallMs: 0, boot: 0, bootMs: 0))
            guard case .applied(let merged, let result, _)? = answer, result != .unchanged else { continue }
            changed.append((state.objects[item.key].map { render($0) }, merged))
        }
        let keys = Set(snapshot.declared.map(\.key))
        return (changed, inventory(source.uid, step).filter { !keys.contains($0.key) && $0.deletion == nil })
    }
}
