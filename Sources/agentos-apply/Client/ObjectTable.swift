package import Manifests

/// The columns of each kind.
package struct ObjectTable {
    var kind: Kind
    var isWide: Bool
    var withNamespace: Bool
    var nowMs: Int64

    package init(_ kind: Kind, isWide: Bool, withNamespace: Bool, nowMs: Int64) {
        self.kind = kind
        self.isWide = isWide
        self.withNamespace = withNamespace && kind.isNamespaced
        self.nowMs = nowMs
    }

    package var header: [String] {
        (withNamespace ? ["NAMESPACE"] : []) + columns + (isWide ? wideColumns : [])
    }

    package func cells(_ object: ObjectView) -> [String] {
        (withNamespace ? [object.namespace] : []) + narrow(object) + (isWide ? wide(object) : [])
    }

    private var columns: [String] {
        switch kind {
        case .agent: ["NAME", "DRIVER", "READY", "PHASE", "RESTARTS", "AGE"]
        case .source:
            ["NAME", "REVISION", "STATE", "DECLARED", "APPLIED", "PRUNED", "DRIFTED", "FAILED", "SYNCED", "AGE"]
        case .namespace: ["NAME", "PHASE", "AGE"]
        case .secret: ["NAME", "TYPE", "DATA", "AGE"]
        case .configMap: ["NAME", "DATA", "AGE"]
        }
    }

    private var wideColumns: [String] {
        switch kind {
        case .agent: ["REVISION", "PIDS", "REASON"]
        case .source: ["REASON"]
        case .namespace, .secret, .configMap: []
        }
    }

    private func narrow(_ object: ObjectView) -> [String] {
        let name = object.name
        let age = Age.text(object.created, nowMs: nowMs)
        switch kind {
        case .agent:
            let agent = AgentView(object)
            return [
                name, agent.driver, "\(agent.readyReplicas)/\(agent.replicas ?? 0)", object.phase ?? "",
                String(agent.restarts), age,
            ]
        case .source:
            let source = SourceView(object)
            return [
                name, source.shortRevision, object.phase ?? "", String(source.declared), String(source.applied),
                String(source.pruned), String(source.drifted), String(source.failed),
                Age.text(source.lastSync, nowMs: nowMs), age,
            ]
        case .namespace: return [name, object.phase ?? "", age]
        case .secret: return [name, object.type, String(object.data.count), age]
        case .configMap: return [name, String(object.data.count), age]
        }
    }

    private func wide(_ object: ObjectView) -> [String] {
        switch kind {
        case .agent:
            let agent = AgentView(object)
            let pids = agent.runs.compactMap(\.pid).map { String($0) }.joined(separator: ",")
            return [String(agent.revision), pids, agent.ready?.message ?? ""]
        case .source: return [SourceView(object).ready?.message?.split(separator: "\n").first.map(String.init) ?? ""]
        case .namespace, .secret, .configMap: return []
        }
    }
}
