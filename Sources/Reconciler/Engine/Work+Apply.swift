import Manifests
import Planner
import Values

/// Taking in what people declare: place, merge, validate, accept, tell, write.
extension Work {
    /// What an apply comes to, before anything is written.
    struct Decision {
        var applied: Answer.Applied
        /// The content, or only who owns it, is to be written.
        var isChange: Bool
    }

    mutating func apply(_ apply: Request.Apply, by principal: Principal) throws(Refusal) -> Answer.Applied {
        let decision = try decide(apply)
        try checkGrants(of: decision.applied.object, by: principal)
        guard decision.isChange else { return decision.applied }
        var applied = decision.applied
        if applied.object.agent != nil, applied.object.agent?.ownUser == nil, let users = settings.users {
            guard let user = draft.takeUser(of: users) else { throw .forbidden(apply.key, .noUserLeft) }
            applied.object.agent?.ownUser = user
        }
        switch applied.result {
        case .created:
            let event = Event.created(manager: apply.manager)
            draft.put(applied.object, .declared(event, by: principal, from: apply.source))
        case .configured:
            let event = Event.updated(manager: apply.manager, restarts: applied.restarts)
            draft.put(applied.object, .declared(event, by: principal, from: apply.source))
        case .unchanged: draft.put(applied.object, .untold)
        }
        markFollowers(of: applied.object)
        if apply.origin == nil, let source = applied.object.origin?.source {
            // What its Source declares may have been changed.
            sources.mark(source)
            markSource(source)
        }
        return applied
    }

    func decide(_ apply: Request.Apply) throws(Refusal) -> Decision {
        let key = apply.key
        let live = draft[key]
        try checkPlace(key, live)
        let (content, managers) = try merge(apply, live)
        // An object that ends takes no new values: what its store holds since another version keeps no finalizer.
        let others = managers.filter { $0.name != apply.manager }
        var complete = live?.deletion == nil ? try validate(content, key, others) : content
        if let live, live.deletion != nil { try checkReleases(live, complete) }
        // Another spelling of the same values is no change.
        if let live, key.kind.isSame(live.content, complete, drivers: settings.drivers) { complete = live.content }
        var object = live ?? StoredObject(key: key, uid: apply.freshUID, createdAtMs: now.wallMs, content: complete)
        let contentChanged = live == nil || object.content != complete
        let ownersChanged = object.managers != managers || (apply.origin != nil && object.origin != apply.origin)
        let result: ApplyResult = live == nil ? .created : contentChanged ? .configured : .unchanged
        var restarts: [String] = []
        if contentChanged || ownersChanged {
            let specChanged =
                live == nil || object.content["spec"] != complete["spec"] || object.content["data"] != complete["data"]
            object.content = complete
            object.managers = managers
            if let origin = apply.origin { object.origin = origin }
            if live != nil, specChanged { object.generation += 1 }
            if key.kind == .source, object.source == nil { object.source = SourceState() }
            if key.kind == .agent { restarts = try accept(&object, live?.content["spec"], specChanged) }
            if live == nil, base.objects.count + draft.changes.objects.count >= Limits.objectsMax {
                throw .forbidden(key, .tooManyObjects)
            }
        }
        return Decision(
            applied: Answer.Applied(object: object, result: result, restarts: restarts, waits: nil),
            isChange: contentChanged || ownersChanged)
    }

    private mutating func markFollowers(of object: StoredObject) {
        switch object.key.kind {
        case .agent:
            queue.mark(object.key)
            queue.mark(draft.dependents(of: object.key))
        case .secret, .configMap:
            if object.deletion != nil { queue.mark(object.key) }
            queue.mark(queue.waiters(for: .input).filter { $0.namespace == object.key.namespace })
        case .source: queue.mark(object.key)
        case .serviceAccount, .role, .clusterRole, .roleBinding, .clusterRoleBinding: break
        case .namespace: if object.deletion != nil { queue.mark(object.key) }
        }
    }

    private func checkPlace(_ key: ObjectKey, _ live: StoredObject?) throws(Refusal) {
        guard key.kind.isNamespaced else { return }
        let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
        guard let found = draft[namespace] else { throw .notFound(namespace) }
        if found.deletion != nil, live == nil { throw .forbidden(key, .namespaceEnds(key.namespace)) }
    }

    /// An object that is being deleted takes one change: finalizers that let go.
    private func checkReleases(_ live: StoredObject, _ new: Node) throws(Refusal) {
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
        throw .conflict(live.key, .beingDeleted)
    }

    // MARK: Content

    private func merge(_ apply: Request.Apply, _ live: StoredObject?) throws(Refusal) -> (Node, [FieldManager]) {
        var validator = Validator(file: "", drivers: settings.drivers)
        var applied = declaredPart(validator.canonical(apply.node, kind: apply.key.kind))
        if !validator.diagnostics.isEmpty { throw .invalid(apply.key, causes(validator.diagnostics)) }
        if apply.key.kind == .secret { encodeStringData(&applied) }
        if applied["dataFrom"] != nil {
            let message = "values can be taken from files and variables only in the directory of a Source"
            throw .invalid(apply.key, [Refusal.Cause(message: message, field: "dataFrom")])
        }
        let (content, managers): (Node, [FieldManager])
        do throws(ApplyConflict) {
            (content, managers) = try applyFields(
                applied, by: apply.manager, force: apply.force, onto: live?.content ?? .emptyMap,
                managers: live?.managers ?? [],
                succession: succession(apply, live), nowMs: now.wallMs)
        } catch {
            throw .conflict(apply.key, .managers(error.owners))
        }
        if managers.count > Limits.fieldManagersMax { throw .forbidden(apply.key, .tooManyManagers) }
        return (content, managers)
    }

    /// A Source that takes an object up follows those that had it before.
    private func succession(_ apply: Request.Apply, _ live: StoredObject?) -> Succession {
        guard let origin = apply.origin, let live, live.origin?.source != origin.source else { return .none }
        return .ofSource
    }

    private func encodeStringData(_ node: inout Node) {
        guard let plain = node["stringData"]?.map else { return }
        var data = ContentTree(node["data"] ?? .emptyMap)
        for entry in plain.entries {
            data.set([entry.key], .text(Base64.encode(Array((entry.value.string ?? "").utf8))))
        }
        node["data"] = data.node
        node["stringData"] = nil
    }

    /// What applied fields cannot stand beside is named, when it is another's.
    private static func blame(_ others: [FieldManager], for cause: Refusal.Cause) -> Refusal.Cause {
        let path = cause.field.split(separator: ".").map(String.init)
        // Lists are whole; only maps are shared.
        guard path.count > 1, !cause.field.contains("[") else { return cause }
        let owners = others.flatMap { other in
            other.fields.paths(below: path).map { "the manager \"\(other.name)\" owns \($0.joined(separator: "."))" }
        }
        guard !owners.isEmpty else { return cause }
        var cause = cause
        cause.message += "; " + owners.prefix(3).joined(separator: ", ")
        return cause
    }

    private func causes(_ diagnostics: Diagnostics) -> [Refusal.Cause] {
        diagnostics.kept.map { Refusal.Cause(message: $0.message, field: $0.path) }
    }

    /// The whole object with its defaults, valid in itself.
    private func validate(
        _ content: Node, _ key: ObjectKey, _ others: [FieldManager]
    ) throws(Refusal) -> Node {
        var object = content
        object["apiVersion"] = .text(key.kind.apiVersion)
        object["kind"] = .text(key.kind.rawValue)
        var metadata = object["metadata"] ?? .emptyMap
        metadata["name"] = .text(key.name)
        if key.kind.isNamespaced { metadata["namespace"] = .text(key.namespace) }
        object["metadata"] = metadata
        var validator = Validator(file: "", drivers: settings.drivers)
        let complete = validator.check(object, kind: key.kind)
        if validator.diagnostics.isEmpty { validator.checkRules(complete, kind: key.kind) }
        if !validator.diagnostics.isEmpty {
            throw .invalid(key, causes(validator.diagnostics).map { Self.blame(others, for: $0) })
        }
        let result = declaredPart(complete)
        if JSONWriter.bytes(result).count > Limits.objectBytesMax {
            let message = "the object is larger than \(Limits.objectBytesMax >> 20) MiB"
            throw .invalid(key, [Refusal.Cause(reason: .tooLong, message: message, field: "")])
        }
        return result
    }

    // MARK: Agents

    /// Takes the new spec of an agent; returns the fields whose change restarts its replicas.
    private func accept(
        _ object: inout StoredObject, _ oldSpec: Node?, _ specChanged: Bool
    ) throws(Refusal) -> [String] {
        let node = object.content["spec"] ?? .emptyMap
        let effective = EffectiveSpec(node)
        let refusals = settings.refusals(effective.spec)
        if !refusals.isEmpty { throw .invalid(object.key, refusals) }
        try checkCycle(object.key, effective.spec)
        let progressBy = Deadline(now, afterMs: effective.spec.progressDeadlineMs)
        guard var agent = object.agent else {
            object.agent = AgentState(effective: effective, progressBy: progressBy)
            return []
        }
        guard specChanged, let oldSpec else { return [] }
        let restarts = AgentSpec.restartRelevantChanges(from: oldSpec, to: node, drivers: settings.drivers)
        agent.effective = effective
        if !restarts.isEmpty { agent.revision += 1 }
        agent.progressBy = progressBy
        object.agent = agent
        return restarts
    }

    private func checkCycle(_ key: ObjectKey, _ spec: AgentSpec) throws(Refusal) {
        var path: [String] = [key.name]
        var done: Set<String> = []
        func visit(_ names: [String]) -> Bool {
            for name in names {
                if name == key.name {
                    path.append(name)
                    return true
                }
                guard done.insert(name).inserted else { continue }
                let target = draft[ObjectKey(.agent, namespace: key.namespace, name: name)]
                path.append(name)
                if visit(target?.agent?.effective.spec.dependsOn.map(\.name) ?? []) { return true }
                path.removeLast()
            }
            return false
        }
        guard visit(spec.dependsOn.map(\.name)) else { return }
        let message = "the dependencies form a cycle: \(path.joined(separator: " -> "))"
        throw .invalid(key, [Refusal.Cause(message: message, field: "spec.dependsOn")])
    }
}

/// What people may declare: the daemon's own fields are taken out.
private func declaredPart(_ node: Node) -> Node {
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
