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

    /// A process of the machine that names its user is that user, root included: more than a tenant has. Whoever makes one,
    /// or changes anything of what it runs, has the right to.
    func checkMachineUser(_ candidate: Candidate) throws(Refusal) {
        guard let spec = candidate.object.agent?.effective.spec else { return }
        if let live = candidate.live, spec.paused {
            // What a pause holds back runs when anybody ends it: whoever writes it is asked now.
            let node = candidate.object.content["spec"] ?? .emptyMap
            let held = AgentSpec.restartRelevantChanges(
                from: live.content["spec"] ?? .emptyMap, to: node, drivers: settings.drivers)
            if !held.isEmpty { try checkMachineUser(of: AgentSpec(node), candidate.key, candidate.principal) }
        }
        if let live = candidate.live, live.agent != nil, candidate.restarts.isEmpty {
            let (before, after) = (live.labels, candidate.object.labels)
            if spec.labelsRead.allSatisfy({ before[$0] == after[$0] }) { return }
        }
        try checkMachineUser(of: spec, candidate.key, candidate.principal)
    }

    /// Who decides what runs as a user of the machine may also decide who that is.
    func checkMachineUser(of spec: AgentSpec, _ key: ObjectKey, _ principal: Principal) throws(Refusal) {
        guard spec.runAsUser != nil || spec.runAsGroup != nil else { return }
        // A driver that nobody knows might be one of processes.
        if settings.drivers[spec.driver]?.hasOwnUsers ?? false { return }
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
