import Manifests
public import Planner
import Values

/// The policy of Objectives: while a budget is spent, agents and Sources stay as they are declared.
public enum Freeze {
    /// With a new value in a change, the change is taken all the same, from whoever has the verb `override` on the
    /// Objective. The value is the reason, which the audit keeps.
    public static let annotation = "agentos.dev/override-freeze"
}

extension EngineState {
    /// The first Objective whose budget is spent and that freezes; nil: changes are taken.
    public var freezing: ObjectKey? {
        objectives.sorted().first { key in
            guard let object = objects[key], object.objective?.reading.phase == .spent else { return false }
            return ObjectiveSpec(object.content["spec"] ?? .emptyMap).freeze
        }
    }
}

extension AdmissionStep {
    /// Nothing but what helps: a rollback, a suspension, and what somebody answers for.
    static let frozen = AdmissionStep { candidate, work throws(Refusal) in
        guard candidate.isSpecChanged, candidate.key.kind.traits.isFrozenWhenSpent,
            candidate.object.deletion == nil, candidate.principal.via != .daemon,
            let objective = work.base.freezing, !candidate.isSuspension, !candidate.isRollback
        else { return }
        guard let reason = candidate.newReason else {
            let conditions = work.base.objects[objective]?.objective?.conditions ?? []
            let stand = conditions.first { $0.condition.kind == .met }?.condition.message ?? ""
            throw .forbidden(candidate.key, .frozen(objective: objective.name, stand: stand))
        }
        let asked = Attributes("override", group: objective.kind.group, objective.kind.resource, name: objective.name)
        guard work.base.access.allows(candidate.principal, asked) else {
            throw .forbidden(
                candidate.key, .freezeOverride(objective: objective.name, user: candidate.principal.user))
        }
        candidate.overrides = (objective.name, reason)
    }
}

extension Candidate {
    /// Nothing else changes but that it is suspended from now on.
    fileprivate var isSuspension: Bool {
        guard var before = live?.content["spec"], let after = object.content["spec"] else { return false }
        before["suspend"] = true
        return before == after
    }

    /// It is made again of what it was made of before, and nothing else of it changes.
    fileprivate var isRollback: Bool {
        guard let before = live?.content["spec"], let after = object.content["spec"], object.agent != nil else {
            return false
        }
        let template = AgentSpec.template(of: after)
        return template != AgentSpec.template(of: before) && write.earlierTemplates.contains(template)
            && AgentSpec.spec(before, with: template) == AgentSpec.spec(after, with: template)
    }

    /// Why the freeze is not to hold for this change.
    fileprivate var newReason: String? {
        func reason(_ content: Node?) -> String? {
            content?[path: "metadata", "annotations", Freeze.annotation]?.string
        }
        guard let new = reason(object.content), !new.isEmpty, new != reason(live?.content) else { return nil }
        return new
    }
}
