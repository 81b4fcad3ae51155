import Manifests
import Planner
import Values

/// No escalation: who makes or changes roles and bindings has what they grant, or the verbs that Kubernetes has for it.
extension Work {
    /// Refuses a change that would give somebody more than its author has.
    func checkGrants(of object: StoredObject, by principal: Principal) throws(Refusal) {
        let (key, live) = (object.key, draft[object.key])
        switch key.kind {
        case .role, .clusterRole:
            let rules = AccessIndex.rules(object.content)
            if let live, Set(AccessIndex.rules(live.content)).isSuperset(of: rules) { return }
            if base.access.allows(principal, grant("escalate", key, key.namespace)) { return }
            try checkHas(rules, key, principal)
        case .roleBinding, .clusterRoleBinding:
            if let live {
                guard object.content["roleRef"] == live.content["roleRef"] else {
                    throw .invalid(key, [Refusal.Cause(message: "cannot change roleRef", field: "roleRef")])
                }
                if object.content["subjects"] == live.content["subjects"] { return }
            }
            let role = AccessIndex.role(key, object.content)
            if base.access.allows(principal, grant("bind", role, key.namespace)) { return }
            guard let found = draft[role] else { throw .notFound(role) }
            try checkHas(AccessIndex.rules(found.content), key, principal)
        case .agent: try checkMachineUser(object, live, principal)
        case .source, .namespace, .secret, .configMap, .serviceAccount: return
        }
    }

    /// A process of the machine that names its user is that user, root included: more than a tenant has.
    private func checkMachineUser(
        _ object: StoredObject, _ live: StoredObject?, _ principal: Principal
    ) throws(Refusal) {
        func machineUser(_ object: StoredObject?) -> [UInt32?]? {
            guard let spec = object?.agent?.effective.spec, spec.driver == "process" else { return nil }
            return spec.runAsUser == nil && spec.runAsGroup == nil ? nil : [spec.runAsUser, spec.runAsGroup]
        }
        guard let wanted = machineUser(object), wanted != machineUser(live) else { return }
        let key = object.key
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
