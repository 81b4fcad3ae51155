import Manifests
import Planner
import Values

/// Taking in what people declare: a candidate, its version, its owners, its validity, admission; then one write.
extension Work {
    /// What a write comes to, before anything is written.
    struct Decision {
        var applied: Answer.Applied
        /// The content, or only who owns it, is to be written.
        var isChange: Bool
        var overrides: (objective: String, reason: String)?
    }

    mutating func write(_ write: Request.Write, by principal: Principal) throws(Refusal) -> Answer.Applied {
        let decision = try decide(write, by: principal)
        guard decision.isChange else { return decision.applied }
        var applied = decision.applied
        if applied.object.agent != nil, applied.object.agent?.ownUser == nil, let users = settings.users {
            guard let user = draft.takeUser(of: users) else { throw .forbidden(write.key, .noUserLeft) }
            applied.object.agent?.ownUser = user
        }
        let (owners, former) = (draft[write.key]?.owners ?? [], draft[write.key]?.origin?.source)
        draft.put(applied.object, part(write, applied, principal))
        if let (objective, reason) = decision.overrides {
            draft.audit(
                "override-freeze", write.key, applied.object.uid, by: principal, from: write.source,
                detail: "objective \(objective): \(reason.prefix(Limits.overrideReasonMax))")
        }
        let object = applied.object
        // An owner that ends in the foreground waits for what it owns, and need not any more.
        if owners != object.owners { queue.mark(owners.compactMap { $0.key(for: object.key) }) }
        object.key.kind.controller.declared(object, in: &self)
        if object.deletion != nil || !object.owners.isEmpty { queue.mark(object.key) }
        // The Source that had it is no longer judged by it.
        if let former, former != object.origin?.source { markSource(former) }
        if write.origin == nil, let source = object.origin?.source {
            // What its Source declares may have been changed.
            sources.mark(source)
            markSource(source)
        }
        return applied
    }

    private func part(_ write: Request.Write, _ applied: Answer.Applied, _ principal: Principal) -> Draft.Part {
        switch (applied.result, write.subresource) {
        case (.created, _): .declared(.created(manager: write.manager), by: principal, from: write.source)
        // What controllers note beside the daemon's status would be told without end.
        case (.configured, .status): .noted("status", by: principal, from: write.source)
        case (.configured, .none), (.configured, .scale):
            .declared(
                .updated(manager: write.manager, restarts: applied.restarts), by: principal, from: write.source)
        case (.unchanged, _): write.origin == nil ? .noted("owners", by: principal, from: write.source) : .untold
        }
    }

    // MARK: Deciding

    func decide(_ write: Request.Write, by principal: Principal) throws(Refusal) -> Decision {
        let live = draft[write.key]
        try checkPlace(write, live)
        try write.preconditions.check(live, write.key)
        let written = try WrittenContent(write, onto: live, drivers: settings.drivers, nowMs: now.wallMs)
        let others = written.managers.filter { $0.name != write.manager }
        let complete = try complete(written.node, live, write, others)
        var managers = written.managers
        if case .apply = write.operation {
        } else {
            let before = live?.content ?? .emptyMap
            let difference = FieldDifference(from: before, to: live == nil ? written.node : complete)
            managers = takeFields(
                difference, by: write.manager, to: write.subresource, from: managers, nowMs: now.wallMs)
        }
        if managers.count > Limits.fieldManagersMax { throw .forbidden(write.key, .tooManyManagers) }
        return try admit(write, live, complete, managers, written.warnings, by: principal)
    }

    private func admit(
        _ write: Request.Write, _ live: StoredObject?, _ content: Node, _ managers: [FieldManager],
        _ warnings: [String], by principal: Principal
    ) throws(Refusal) -> Decision {
        var object =
            live ?? StoredObject(key: write.key, uid: write.freshUID, createdAtMs: now.wallMs, content: content)
        let isContentChanged = live == nil || object.content != content
        let isOwnershipChanged =
            object.managers != managers || (write.origin != nil && object.origin != write.origin)
        let result: ApplyResult = live == nil ? .created : isContentChanged ? .configured : .unchanged
        guard isContentChanged || isOwnershipChanged else {
            let same = Answer.Applied(object: object, result: result, restarts: [], waits: nil, warnings: warnings)
            return Decision(applied: same, isChange: false)
        }
        let isSpecChanged =
            live == nil || object.content["spec"] != content["spec"] || object.content["data"] != content["data"]
        object.content = content
        object.managers = managers
        if let origin = write.origin { object.origin = origin }
        if live != nil, isSpecChanged { object.generation += 1 }
        var candidate = Candidate(
            write: write, principal: principal, live: live, object: object, isContentChanged: isContentChanged,
            isSpecChanged: isSpecChanged)
        for step in AdmissionStep.chain { try step.admit(&candidate, self) }
        return Decision(
            applied: Answer.Applied(
                object: candidate.object, result: result, restarts: candidate.restarts, waits: nil,
                warnings: warnings),
            isChange: true, overrides: candidate.overrides)
    }

    private func checkPlace(_ write: Request.Write, _ live: StoredObject?) throws(Refusal) {
        let key = write.key
        if live == nil, !write.creates { throw .notFound(key) }
        if live != nil, case .create = write.operation { throw .conflict(key, .exists) }
        guard key.kind.isNamespaced else { return }
        let namespace = ObjectKey(.namespace, namespace: "", name: key.namespace)
        guard let found = draft[namespace] else { throw .notFound(namespace) }
        if found.deletion != nil, live == nil { throw .forbidden(key, .namespaceEnds(key.namespace)) }
    }

    // MARK: Validity

    /// The content with its defaults, valid in itself.
    private func complete(
        _ content: Node, _ live: StoredObject?, _ write: Request.Write, _ others: [FieldManager]
    ) throws(Refusal) -> Node {
        let key = write.key
        guard let live else { return try validate(content, key, others) }
        if write.subresource == .status {
            // What is declared stays as it is, whatever a store of another version holds of it.
            var result = live.content
            result["status"] = content["status"]
            return result
        }
        if live.deletion == nil { return spelt(try validate(content, key, others), as: live) }
        // An object that ends lets go whatever its store holds since another version: only its metadata is looked at.
        let metadata = Node.map([("metadata", content["metadata"])])
        var validator = Validator(file: "", drivers: settings.drivers)
        _ = validator.canonical(metadata, kind: key.kind)
        if !validator.diagnostics.isEmpty { throw .invalid(key, Refusal.Cause.all(validator.diagnostics)) }
        return spelt(content, as: live)
    }

    /// Another spelling of the same values is no change.
    private func spelt(_ content: Node, as live: StoredObject) -> Node {
        func isSame(_ one: Node, _ other: Node) -> Bool { live.key.kind.isSame(one, other, drivers: settings.drivers) }
        if isSame(live.content, content) { return live.content }
        guard isSame(live.content.withoutMetadata, content.withoutMetadata) else { return content }
        var result = live.content
        result["metadata"] = content["metadata"]
        result["status"] = content["status"]
        return result
    }

    private func validate(_ content: Node, _ key: ObjectKey, _ others: [FieldManager]) throws(Refusal) -> Node {
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
            throw .invalid(key, Refusal.Cause.all(validator.diagnostics).map { Self.blame(others, for: $0) })
        }
        var result = declaredPart(complete)
        result["status"] = content["status"]
        return result
    }

    /// What written fields cannot stand beside is named, when it is another's.
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
}

extension Request.Preconditions {
    /// Refuses any other object than the one that is meant.
    func check(_ live: StoredObject?, _ key: ObjectKey) throws(Refusal) {
        guard let live else { return }
        if let uid, uid != live.uid.text { throw .conflict(key, .uid(expected: uid, found: live.uid)) }
        if let resourceVersion, resourceVersion != String(live.resourceVersion) {
            throw .conflict(key, .resourceVersion(expected: resourceVersion, found: live.resourceVersion))
        }
    }
}
