import Manifests
import Planner
import Values

/// What the two conditions of a Source say.
struct SourceHealth {
    var ready: Condition
    var synced: Condition
}

extension Work {
    func health(_ object: StoredObject, _ source: SourceState, _ spec: SourceSpec) -> SourceHealth {
        let synced = synced(object, source, spec)
        return SourceHealth(ready: ready(object, source, spec, synced), synced: synced)
    }

    private func ready(
        _ object: StoredObject, _ source: SourceState, _ spec: SourceSpec, _ synced: Condition
    ) -> Condition {
        func ready(_ status: Bool, _ reason: Condition.Reason, _ message: String) -> Condition {
            Condition(kind: .ready, status: status, reason: reason, message: message)
        }
        guard synced.status else { return ready(false, synced.reason, synced.message) }
        var waiting: [String] = []
        var kept = ""
        if sources.awaitingEnds.contains(object.uid) {
            for item in sources.snapshots[object.uid]?.declared ?? [] where draft[item.key]?.deletion != nil {
                waiting.append("the end of \(item.key.kind.qualifiedSingular)/\(item.key.name), which is made again")
            }
        }
        for item in draft.inventory(of: object.uid) {
            if item.deletion != nil { continue }
            if kept.isEmpty, isKept(item, of: object.uid) {
                kept = "; kept: the namespace \(item.key.name), which is protected or holds what others have applied"
            }
            switch Self.health(of: item) {
            case .well: break
            case .waiting(let name): waiting.append(name)
            case .failed(let why):
                let name = "agent \(item.key.namespace)/\(item.key.name)"
                return ready(false, .agentFailed, "\(name) has failed: \(why)")
            }
        }
        if let first = waiting.first {
            let others = waiting.count > 1 ? " and \(waiting.count - 1) more" : ""
            if source.readyBy.isDue(now), source.syncedAtMs > 0 {
                return ready(
                    false, .healthTimeout, "not Ready within \(spec.timeoutMs / 1000) s: \(first)\(others)")
            }
            return ready(false, .progressing, "waiting for \(first)\(others)")
        }
        let drift =
            source.drifted.isEmpty ? "" : "; changed by others: \(source.drifted.prefix(5).joined(separator: ", "))"
        return ready(
            true, source.drifted.isEmpty ? .synced : .drifted,
            "\(source.declared) object\(source.declared == 1 ? " is" : "s are") as declared\(drift)\(kept)")
    }

    private enum ItemHealth {
        case well
        case waiting(String)
        case failed(String)
    }

    private static func health(of item: StoredObject) -> ItemHealth {
        if let inner = item.source {
            return inner.condition(.ready)?.status == true ? .well : .waiting("Source \(item.key.name)")
        }
        guard let agent = item.agent else { return .well }
        let spec = agent.effective.spec
        if agent.summary.isReady || agent.summary.isCompleted || spec.suspend || spec.replicas == 0 { return .well }
        if agent.summary.condition(.progressing)?.status == false {
            return .failed(agent.summary.condition(.ready)?.message ?? "")
        }
        return .waiting("agent \(item.key.namespace)/\(item.key.name)")
    }

    /// A namespace that is no longer declared and stays.
    private func isKept(_ item: StoredObject, of source: UID) -> Bool {
        guard item.key.kind.traits.state == .tenant, let snapshot = sources.snapshots[source] else { return false }
        return !snapshot.declared.contains { $0.key == item.key } && isProtected(item, of: source)
    }

    private func synced(_ object: StoredObject, _ source: SourceState, _ spec: SourceSpec) -> Condition {
        func condition(_ status: Bool, _ reason: Condition.Reason, _ message: String) -> Condition {
            Condition(kind: .synced, status: status, reason: reason, message: message)
        }
        if spec.suspend { return condition(false, .suspended, "suspend is set") }
        if !source.errors.isEmpty {
            let more = source.failed > source.errors.count ? "\n… and \(source.failed - source.errors.count) more" : ""
            let held =
                source.pruneWaits > 0 ? "\n\(source.pruneWaits) objects are not deleted before this is resolved" : ""
            return condition(false, .syncFailed, source.errors.joined(separator: "\n") + more + held)
        }
        if sources.snapshots[object.uid] == nil, source.syncedAtMs == 0 {
            return condition(false, .pending, "nothing was read yet")
        }
        if source.pruneWaits > 0, sources.snapshots[object.uid]?.isWhole == false {
            return condition(false, .pending, "its files were changed just now; they are read again in a moment")
        }
        if source.pruneWaits > 0 {
            return condition(
                false, .pruneLimit,
                "\(source.pruneWaits) objects are no longer declared, more than one sync may delete; "
                    + "'agentos-apply sync \(object.key.name) -n \(object.key.namespace) --force' deletes them")
        }
        return condition(true, .synced, "revision \(source.revision) is applied")
    }
}
