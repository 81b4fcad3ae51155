package import Manifests

/// One object that a command waits for.
package struct Awaited {
    package var kind: Kind
    package var namespace: String
    package var name: String
    /// Status of an older generation says nothing.
    package var generation: Int
    /// It is known to have been there: when it is not, somebody has deleted it.
    package var wasThere: Bool
    /// When the replicas had ended last, by ordinal, before what is waited for was asked for.
    package var endsBefore: [Int: String] = [:]

    package init(_ kind: Kind, namespace: String, name: String, generation: Int = 0, wasThere: Bool) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.generation = generation
        self.wasThere = wasThere
    }

    /// As the command line names it.
    var shown: String { "\(kind.qualifiedSingular)/\(name)" }
}

/// What is waited for.
package enum Goal: Equatable, Sendable {
    case readyOrCompleted
    /// All replicas are of the newest revision, and as ready as is asked of them.
    case rolledOut
    /// There are so many replicas as are asked for, and as ready; what a pause holds back is not waited for.
    case scaled
    case condition(String, status: String = "True")
    /// A field has the value, or any; a condition that is written as a path.
    case field(FieldQuery, equals: String?)
    case completed
    case phase(String)
    case deleted

    package enum Verdict: Equatable, Sendable {
        case met(phase: String?)
        case notYet(phase: String)
        case failed(String)
        case gone
    }

    /// What an object says about the goal; nil: the object does not exist.
    package func judge(_ object: ObjectView?, generation: Int) -> Verdict {
        guard let object else { return self == .deleted ? .met(phase: nil) : .gone }
        if self == .deleted { return .notYet(phase: Self.remains(object)) }
        let phase = object.phase ?? "Unknown"
        let wanted = max(generation, object.generation)
        if let observed = object.observedGeneration, observed < wanted {
            return .notYet(phase: "\(phase) as of generation \(observed), and \(wanted) is declared")
        }
        if self == .rolledOut, let held = heldUp(object, phase) { return .failed(held) }
        if isMet(object, phase) { return .met(phase: object.phase) }
        let ready = object.condition("Ready")
        if let progressing = object.condition("Progressing"), progressing.isFalse {
            return .failed(ready?.message ?? progressing.message ?? "failed")
        }
        // Of a Source: what stays so until somebody changes what it declares.
        if self == .readyOrCompleted, ["SyncFailed", "AgentFailed", "HealthTimeout"].contains(phase) {
            return .failed(ready?.message ?? phase)
        }
        let lacks = lacks(object)
        return .notYet(phase: lacks.isEmpty ? phase : "\(phase), \(lacks)")
    }

    /// What is missing, as the daemon says it.
    private func lacks(_ object: ObjectView) -> String {
        switch self {
        case .readyOrCompleted, .scaled: return object.condition("Ready")?.firstLine ?? ""
        case .rolledOut:
            let agent = AgentView(object)
            let replicas = agent.replicas ?? 0
            let missing = agent.ready.map { $0.isTrue ? "" : $0.firstLine } ?? ""
            return "\(agent.updatedReplicas) of \(replicas) replicas are new, \(agent.readyReplicas) are ready"
                + (missing.isEmpty ? "" : ", \(missing)")
        case .condition(let type, _):
            guard let condition = object.condition(type) else { return "it has no condition \(type)" }
            return "\(type) is \(condition.status)" + (condition.firstLine.isEmpty ? "" : ": \(condition.firstLine)")
        case .field(let query, _):
            let found = query.values(in: object.node).map(FieldQuery.text)
            return found.isEmpty ? "\(query.text) is not there" : "\(query.text) is \(found.joined(separator: ", "))"
        case .completed, .phase, .deleted: return ""
        }
    }

    /// Why an object is still there whose deletion was asked for.
    private static func remains(_ object: ObjectView) -> String {
        let phase = object.phase ?? "Terminating"
        if object.deleted == nil { return "\(phase), its deletion was not asked for" }
        let finalizers = object.finalizers
        return finalizers.isEmpty ? phase : "\(phase), the finalizers \(finalizers.joined(separator: ", ")) hold it"
    }

    /// A pause that the rest of a roll waits for, as long as nobody ends it.
    private func heldUp(_ object: ObjectView, _ phase: String) -> String? {
        guard let progressing = object.condition("Progressing") else { return nil }
        let waits = progressing.reason == "PausedWithChanges"
        // One that is ready and of before stays so.
        let agent = AgentView(object)
        let isHalf = agent.runs.contains { $0.revision < agent.revision && $0.phase == "Ready" }
        guard waits || (progressing.reason == "Paused" && isHalf) else { return nil }
        return "\(progressing.firstLine); 'agentos-apply rollout resume \(object.name) -n \(object.namespace)' goes on"
    }

    private func isMet(_ object: ObjectView, _ phase: String) -> Bool {
        func holds(_ type: String) -> Bool { object.condition(type)?.isTrue ?? false }
        let agent = AgentView(object)
        // Nothing to run is what was asked for.
        let isIdle = phase == "Suspended" || (agent.replicas == 0 && phase == "Stopped")
        switch self {
        case .readyOrCompleted: return holds("Ready") || phase == "Completed" || isIdle
        case .rolledOut, .scaled:
            let isNew = agent.updatedReplicas == agent.replicas && agent.readyReplicas == agent.replicas
            return (holds("Ready") && isNew) || phase == "Completed" || isIdle
        case .condition(let type, let status):
            return object.condition(type)?.status.lowercased() == status.lowercased()
        case .field(let query, let value):
            let found = query.values(in: object.node)
            return value.map { wanted in found.contains { FieldQuery.text($0) == wanted } } ?? !found.isEmpty
        case .completed: return phase == "Completed"
        case .phase(let wanted): return phase == wanted
        case .deleted: return false
        }
    }
}
