import Manifests
import Planner
import Values

extension Engine {
    mutating func handle(_ request: Request, _ step: inout Step, _ now: Moment) -> Answer {
        do throws(Failure) {
            switch request.verb {
            case .apply(let apply): return try self.apply(apply, actor: request.actor, &step, now)
            case .delete(let deletion): return try delete(deletion, actor: request.actor, &step, now)
            case .replay(let position): return try resolveDeadLetter(position, skip: false, request.actor, &step, now)
            case .skip(let position): return try resolveDeadLetter(position, skip: true, request.actor, &step, now)
            case .acknowledge(let name, let position, let offset):
                return try acknowledge(name, position, offset, &step)
            case .removeConsumer(let name): return try removeConsumer(name, &step)
            case .execute(let key, let ordinal, let command):
                return try execute(key, ordinal, command, request.actor, &step, now)
            }
        } catch {
            return .failure(error)
        }
    }

    /// What runs beside an agent is in the audit before it runs.
    private mutating func execute(
        _ key: ObjectKey, _ ordinal: Int, _ command: [String], _ actor: String, _ step: inout Step, _ now: Moment
    ) throws(Failure) -> Answer {
        guard let object = object(key, step), let agent = object.agent else { throw .notFound(key) }
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }) else {
            let message = "agent \"\(key.name)\" has no replica \(ordinal)"
            throw Failure(code: 404, reason: "NotFound", message: message, key: key)
        }
        let isRunning =
            switch replica.phase {
            case .ready, .starting(_, seen: true), .stopping: true
            case .starting, .created, .scheduled, .failed, .backingOff, .stopped, .completed: false
            }
        guard isRunning, let run = replica.phase.run else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" does not run (\(replica.phase.name))"
            throw Failure(code: 409, reason: "Conflict", message: message, key: key)
        }
        if run.isFrozen {
            let message = "replica \(ordinal) of agent \"\(key.name)\" is frozen; set spec.suspend to false first"
            throw Failure(code: 409, reason: "Conflict", message: message, key: key)
        }
        step.changes.audit.append(
            AuditRecord(
                atMs: now.wallMs, actor: actor, verb: "exec", key: key, uid: object.uid, source: "",
                detail: "run \(run.id.text): " + String(JSONWriter.text(.list(command.map(Node.text))).prefix(1024)),
                position: nil))
        return .execution(run.id, driver: run.spec.driver)
    }

    // MARK: Apply

    mutating func apply(
        _ apply: Request.Apply, actor: String, _ step: inout Step, _ now: Moment
    ) throws(Failure) -> Answer {
        let key = apply.key
        let live = object(key, step)
        try checkPlace(key, live, step)
        let (content, managers) = try merge(apply, live, now)
        if managers.count > Limits.fieldManagersMax {
            throw .forbidden(key, "more than \(Limits.fieldManagersMax) field managers")
        }
        let complete = try validate(content, key)
        if let live, live.deletion != nil { try checkReleases(live, complete) }

        var object = live ?? StoredObject(key: key, uid: apply.freshUID, createdAtMs: now.wallMs, content: complete)
        let managersChanged = object.managers != managers || (apply.origin != nil && object.origin != apply.origin)
        let contentChanged = live == nil || object.content != complete
        guard contentChanged || managersChanged else {
            return .applied(render(object, step), .unchanged, restarts: [])
        }
        let specChanged =
            live == nil || object.content["spec"] != complete["spec"] || object.content["data"] != complete["data"]
        let oldSpec = live?.content["spec"]
        object.content = complete
        object.managers = managers
        if let origin = apply.origin { object.origin = origin }
        if live != nil, specChanged { object.generation += 1 }

        var restarts: [String] = []
        if key.kind == .source, object.source == nil { object.source = SourceState() }
        if key.kind == .agent { restarts = try accept(&object, oldSpec, specChanged, step, now) }
        let result: ApplyResult = live == nil ? .created : contentChanged ? .configured : .unchanged
        if apply.dryRun {
            return .applied(render(object, step), result, restarts: restarts)
        }
        if live == nil, state.objects.count + step.changes.objects.count >= Limits.objectsMax {
            throw .forbidden(key, "more than \(Limits.objectsMax) objects")
        }
        if object.agent != nil, object.agent?.ownUser == nil, let first = settings.firstUser {
            let user = max(step.draft.nextUser, first)
            object.agent?.ownUser = user
            step.draft.nextUser = user + 1
        }
        if contentChanged {
            let verb = live == nil ? "created" : "updated"
            tell(
                "\(key.kind.singular).\(verb)", object, actor: actor, verb: verb, source: apply.source,
                detail: restarts.isEmpty ? "" : "restarts: \(restarts.joined(separator: ", "))",
                data: [
                    ("restarts", restarts.isEmpty ? nil : .list(restarts.map(Node.text))),
                    ("manager", .text(apply.manager)),
                ], &step, now)
        }
        write(object, statusOnly: false, &step)
        afterChange(of: object, step)
        if apply.origin == nil, let source = object.origin?.source {
            // What its Source declares may have been changed.
            unsynced.insert(source)
            markSource(source)
        }
        return .applied(render(object, step), result, restarts: restarts)
    }

    private mutating func afterChange(of object: StoredObject, _ step: Step) {
        switch object.key.kind {
        case .agent:
            dirty.insert(object.key)
            dirty.formUnion(dependents(of: object.key, step))
        case .secret, .configMap:
            if object.deletion != nil { dirty.insert(object.key) }
            for key in waitingForInput where key.namespace == object.key.namespace { dirty.insert(key) }
        case .source: dirty.insert(object.key)
        case .namespace: if object.deletion != nil { dirty.insert(object.key) }
        }
    }

    private func checkPlace(_ key: ObjectKey, _ live: StoredObject?, _ step: Step) throws(Failure) {
        if key.kind.isNamespaced {
            let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
            guard let found = object(namespace, step) else { throw .notFound(namespace) }
            if found.deletion != nil, live == nil {
                throw .forbidden(key, "the namespace \(key.namespace) is being deleted; nothing new is created in it")
            }
        }
    }

    /// An object that is being deleted takes one change: finalizers that let go.
    private func checkReleases(_ live: StoredObject, _ new: Node) throws(Failure) {
        func withoutFinalizers(_ node: Node) -> Node {
            var (result, metadata) = (node, node["metadata"] ?? .emptyMap)
            metadata["finalizers"] = nil
            result["metadata"] = metadata
            return result
        }
        let left = new[path: "metadata", "finalizers"]?.list?.compactMap(\.string) ?? []
        if withoutFinalizers(new) == withoutFinalizers(live.content), left.count < live.finalizers.count,
            Set(left).isSubset(of: live.finalizers)
        {
            return
        }
        throw Failure(
            code: 409, reason: "Conflict",
            message: "\(live.key.kind.qualifiedResource) \"\(live.key.name)\" is being deleted; wait until it is gone",
            key: live.key)
    }

    private func merge(
        _ apply: Request.Apply, _ live: StoredObject?, _ now: Moment
    ) throws(Failure) -> (Node, [FieldManager]) {
        var validator = Validator(file: "")
        var applied = declared(validator.canonical(apply.node, kind: apply.key.kind))
        if !validator.diagnostics.isEmpty { throw .invalid(apply.key, causes(validator.diagnostics)) }
        if apply.key.kind == .secret { encodeStringData(&applied) }
        if applied["dataFrom"] != nil {
            let message = "values can be taken from files and variables only in the directory of a Source"
            throw .invalid(apply.key, [Failure.Cause(reason: "FieldValueInvalid", message: message, field: "dataFrom")])
        }
        do {
            return try applyFields(
                applied, by: apply.manager, force: apply.force, onto: live?.content ?? .emptyMap,
                managers: live?.managers ?? [], nowMs: now.wallMs)
        } catch {
            let first = error.causes.count == 1 ? "1 conflict" : "\(error.causes.count) conflicts"
            let words = error.causes.map { "conflict with \"\($0.manager)\": \($0.path)" }
            throw Failure(
                code: 409, reason: "Conflict", message: "Apply failed with \(first): \(words.joined(separator: ", "))",
                key: apply.key,
                causes: error.causes.map {
                    Failure.Cause(
                        reason: "FieldManagerConflict", message: "conflict with \"\($0.manager)\"", field: $0.path)
                })
        }
    }

    /// What people may declare: the daemon's own fields are taken out.
    private func declared(_ node: Node) -> Node {
        var metadata = Node.emptyMap
        for name in ["labels", "annotations", "finalizers"] {
            if let value = node[path: "metadata", name] { metadata[name] = value }
        }
        var result = node
        result["apiVersion"] = nil
        result["kind"] = nil
        result["status"] = nil
        result["metadata"] = metadata.map?.isEmpty == true ? nil : metadata
        return result
    }

    private func encodeStringData(_ node: inout Node) {
        guard let plain = node["stringData"]?.map else { return }
        var data = node["data"] ?? .emptyMap
        for entry in plain.entries { data[entry.key] = .text(Base64.encode(Array((entry.value.string ?? "").utf8))) }
        node["data"] = data
        node["stringData"] = nil
    }

    private func causes(_ diagnostics: Diagnostics) -> [Failure.Cause] {
        diagnostics.kept.map { Failure.Cause(reason: "FieldValueInvalid", message: $0.message, field: $0.path) }
    }

    private func validate(_ content: Node, _ key: ObjectKey) throws(Failure) -> Node {
        var object = content
        object["apiVersion"] = .text(key.kind.apiVersion)
        object["kind"] = .text(key.kind.rawValue)
        var metadata = object["metadata"] ?? .emptyMap
        metadata["name"] = .text(key.name)
        if key.kind.isNamespaced { metadata["namespace"] = .text(key.namespace) }
        object["metadata"] = metadata
        var validator = Validator(file: "")
        let complete = validator.check(object, kind: key.kind)
        if validator.diagnostics.isEmpty { validator.checkRules(complete, kind: key.kind) }
        if !validator.diagnostics.isEmpty { throw .invalid(key, causes(validator.diagnostics)) }
        let result = declared(complete)
        if JSONWriter.bytes(result).count > Limits.objectBytesMax {
            throw .invalid(
                key,
                [
                    Failure.Cause(
                        reason: "FieldValueTooLong",
                        message: "the object is larger than \(Limits.objectBytesMax >> 20) MiB", field: "")
                ])
        }
        return result
    }

    /// Takes the new spec of an agent; returns the fields whose change restarts its replicas.
    private func accept(
        _ object: inout StoredObject, _ oldSpec: Node?, _ specChanged: Bool, _ step: Step, _ now: Moment
    ) throws(Failure) -> [String] {
        let node = object.content["spec"] ?? .emptyMap
        let effective = EffectiveSpec(node)
        let refusals = settings.refusals(effective.spec)
        if !refusals.isEmpty { throw .invalid(object.key, refusals) }
        try checkCycle(object.key, effective.spec, step)
        guard var agent = object.agent else {
            object.agent = AgentState(
                effective: effective, progressBy: Deadline(now, afterMs: effective.spec.progressDeadlineMs))
            return []
        }
        guard specChanged, let oldSpec else { return [] }
        let restarts = AgentSpec.restartRelevantChanges(from: oldSpec, to: node)
        agent.effective = effective
        if !restarts.isEmpty { agent.revision += 1 }
        agent.progressBy = Deadline(now, afterMs: effective.spec.progressDeadlineMs)
        object.agent = agent
        return restarts
    }

    private func checkCycle(_ key: ObjectKey, _ spec: AgentSpec, _ step: Step) throws(Failure) {
        var path: [String] = [key.name]
        var done: Set<String> = []
        func visit(_ names: [String]) -> Bool {
            for name in names {
                if name == key.name {
                    path.append(name)
                    return true
                }
                guard done.insert(name).inserted else { continue }
                let target = object(ObjectKey(.agent, namespace: key.namespace, name: name), step)
                path.append(name)
                if visit(target?.agent?.effective.spec.dependsOn.map(\.name) ?? []) { return true }
                path.removeLast()
            }
            return false
        }
        if visit(spec.dependsOn.map(\.name)) {
            let cause = Failure.Cause(
                reason: "FieldValueInvalid",
                message: "the dependencies form a cycle: \(path.joined(separator: " -> "))",
                field: "spec.dependsOn")
            throw .invalid(key, [cause])
        }
    }

    // MARK: Delete

    mutating func delete(
        _ deletion: Request.Deletion, actor: String, _ step: inout Step, _ now: Moment
    ) throws(Failure) -> Answer {
        let (key, graceMs) = (deletion.key, deletion.graceMs)
        guard let live = object(key, step) else { throw .notFound(key) }
        try checkPreconditions(deletion, live)
        if key.kind == .namespace, key.name == "default" {
            throw .forbidden(key, "the namespace default always exists")
        }
        if deletion.dryRun { return .deleted(render(live, step)) }
        markDeleted(live, graceMs, actor: actor, &step, now)
        if key.kind == .namespace {
            for inner in contents(of: key.name, step) { markDeleted(inner, graceMs, actor: actor, &step, now) }
        }
        finishDeletion(key, &step, now)
        return .deleted(object(key, step).map { render($0, step) })
    }

    private func checkPreconditions(_ deletion: Request.Deletion, _ live: StoredObject) throws(Failure) {
        let pairs = [
            ("UID", deletion.uid, live.uid.text),
            ("ResourceVersion", deletion.resourceVersion, String(live.resourceVersion)),
        ]
        for (what, wanted, found) in pairs {
            guard let wanted, wanted != found else { continue }
            throw Failure(
                code: 409, reason: "Conflict",
                message: "Operation cannot be fulfilled on \(live.key.kind.qualifiedResource) \"\(live.key.name)\": "
                    + "Precondition failed: \(what) in precondition: \(wanted), \(what) in object meta: \(found)",
                key: live.key)
        }
    }

    private func hasContents(_ namespace: String, _ step: Step) -> Bool {
        step.draft.objects.contains { $0.key.namespace == namespace && $0.value != nil }
            || state.objects.keys.contains { $0.namespace == namespace && object($0, step) != nil }
    }

    /// All objects of a namespace, in the order of their keys.
    func contents(of namespace: String, _ step: Step) -> [StoredObject] {
        let keys = Set(state.objects.keys).union(step.draft.objects.keys).filter { $0.namespace == namespace }
        return keys.sorted().compactMap { object($0, step) }
    }

    mutating func markDeleted(
        _ live: StoredObject, _ graceMs: Int64?, actor: String, _ step: inout Step, _ now: Moment
    ) {
        var object = live
        let isNew = object.deletion == nil
        let shortens = graceMs.map { new in object.deletion?.graceMs.map { new < $0 } ?? !isNew } ?? false
        guard isNew || shortens else { return }
        object.deletion = StoredObject.Deletion(atMs: object.deletion?.atMs ?? now.wallMs, graceMs: graceMs)
        if isNew {
            object.generation += 1
            let data: [(String, Node?)] = [("deletionTimestamp", .text(Timestamp.milliseconds(now.wallMs)))]
            tell(
                "\(object.key.kind.singular).updated", object, actor: actor, verb: "delete", detail: "", data: data,
                &step, now)
        }
        write(object, statusOnly: false, &step)
        dirty.insert(object.key)
        if object.agent != nil { markNeighbours(object, step) }
        if object.key.kind != .agent { finishDeletion(object.key, &step, now) }
    }

    /// Removes a deleted object once nothing holds it any more.
    mutating func finishDeletion(_ key: ObjectKey, _ step: inout Step, _ now: Moment) {
        guard let object = object(key, step), object.deletion != nil, object.finalizers.isEmpty else { return }
        if let agent = object.agent, agent.replicas.contains(where: { $0.phase.isLive }) { return }
        if key.kind == .namespace {
            if hasContents(key.name, step) { return }
        }
        tell(
            "\(key.kind.singular).deleted", object, actor: "system:reconciler", verb: "deleted", detail: "", data: [],
            &step, now)
        remove(object, &step)
        timers.set(key, at: nil)
        if let source = object.origin?.source {
            unsynced.insert(source)
            markSource(source)
            markWaitingSources(step)
        }
        if object.agent != nil { markNeighbours(object, step) }
        if key.kind.isNamespaced, !key.namespace.isEmpty {
            let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
            if self.object(namespace, step)?.deletion != nil { finishDeletion(namespace, &step, now) }
        }
    }
}
