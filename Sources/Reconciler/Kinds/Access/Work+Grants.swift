import Manifests
import Planner
import Values

/// No escalation: who makes or changes roles and bindings has what they grant, or the verbs that Kubernetes has for it.
extension Work {
    /// A role grants what stands in it to all that are bound to it.
    func checkRole(_ candidate: Candidate) throws(Refusal) {
        let (key, principal) = (candidate.key, candidate.principal)
        let rules = AccessIndex.rules(candidate.object.content)
        if let live = candidate.live, Set(AccessIndex.rules(live.content)).isSuperset(of: rules) { return }
        if base.access.allows(principal, grant("escalate", key, key.namespace)) { return }
        try checkHas(rules, key, principal)
    }

    /// A binding grants the rules of its role to all whom it names; the role stays what it was.
    func checkBinding(_ candidate: Candidate) throws(Refusal) {
        let (key, principal, content) = (candidate.key, candidate.principal, candidate.object.content)
        if let live = candidate.live {
            guard content["roleRef"] == live.content["roleRef"] else {
                throw .invalid(key, [Refusal.Cause(message: "cannot change roleRef", field: "roleRef")])
            }
            if content["subjects"] == live.content["subjects"] { return }
        }
        let role = AccessIndex.role(key, content)
        if base.access.allows(principal, grant("bind", role, key.namespace)) { return }
        guard let found = draft[role] else { throw .notFound(role) }
        try checkHas(AccessIndex.rules(found.content), key, principal)
    }

    /// A process of the machine that names its user is that user, root included: more than a tenant has.
    func checkMachineUser(_ candidate: Candidate) throws(Refusal) {
        let principal = candidate.principal
        func machineUser(_ object: StoredObject?) -> [UInt32?]? {
            guard let spec = object?.agent?.effective.spec, spec.driver == "process" else { return nil }
            return spec.runAsUser == nil && spec.runAsGroup == nil ? nil : [spec.runAsUser, spec.runAsGroup]
        }
        guard let wanted = machineUser(candidate.object), wanted != machineUser(candidate.live) else { return }
        let key = candidate.key
        if base.access.allows(principal, grant("escalate", key, key.namespace)) { return }
        throw .forbidden(key, .machineUser(user: principal.user))
    }

    private func grant(_ verb: String, _ role: ObjectKey, _ namespace: String) -> Attributes {
        Attributes(verb, group: role.kind.group, role.kind.resource, namespace: namespace, name: role.name)
    }

    private func checkHas(_ rules: [PolicyRule], _ key: ObjectKey, _ principal: Principal) throws(Refusal) {
        let missing: PolicyRule?
        do throws(AccessIndex.TooManyRules) {
            missing = try base.access.missing(principal, namespace: key.namespace, of: rules)
        } catch {
            throw .forbidden(key, .tooManyGrants)
        }
        if let missing { throw .forbidden(key, .grants(user: principal.user, missing: missing.words)) }
    }
}
