package import Manifests
import Values

/// One object in full, for people.
package struct Description {
    let kind: Kind
    let nowMs: Int64
    let hasColor: Bool

    package init(_ kind: Kind, nowMs: Int64, hasColor: Bool) {
        self.kind = kind
        self.nowMs = nowMs
        self.hasColor = hasColor
    }

    package func text(_ object: ObjectView, _ events: [EventView]) -> String {
        var lines: [(String, String?)] = [
            ("Name", object.name), ("Namespace", object.namespace), ("Labels", object.labels),
            ("Annotations", object.annotations), ("UID", object.uid),
            ("Generation", object.generation > 0 ? String(object.generation) : nil),
            ("Age", Age.text(object.created, nowMs: nowMs)), ("Deleting", object.deleted),
        ]
        var sections: [(String, String)] = []
        switch kind {
        case .agent where object.hasStatus:
            let agent = AgentView(object)
            lines += self.lines(agent)
            sections = [("Conditions", conditions(object)), ("Runs", runs(agent)), ("Events", self.events(events))]
        case .source where object.hasStatus:
            let source = SourceView(object)
            lines += self.lines(source)
            if !source.errors.isEmpty {
                sections.append(("Errors", source.errors.joined(separator: "\n").printableLines))
            }
            sections += [("Conditions", conditions(object)), ("Events", self.events(events))]
        case .agent, .source, .namespace, .secret, .configMap, .serviceAccount, .role, .clusterRole, .roleBinding,
            .clusterRoleBinding, .event, .lease, .resourceQuota, .objective:
            let data = object.data.map { "\($0.key): \($0.bytes) bytes" }.joined(separator: ", ")
            lines += [(Self.phase, object.phase), ("Data", data)]
        }
        return lines.map(line).joined() + sections.map { "\n\($0):\n" + indent($1) }.joined()
    }

    private func lines(_ agent: AgentView) -> [(String, String?)] {
        [
            ("Driver", agent.driver), ("Command", agent.command.joined(separator: " ").firstLine),
            (Self.phase, agent.object.phase),
            ("Replicas", "\(agent.readyReplicas) of \(agent.replicas ?? 0) ready"),
        ]
    }

    private func lines(_ source: SourceView) -> [(String, String?)] {
        [
            ("Path", source.path), ("Git", source.gitURL), ("Branch", source.branch),
            (Self.state, source.object.phase), ("Revision", source.revision),
            ("Last sync", source.lastSync.map { "\(Age.text($0, nowMs: nowMs)) ago" }),
            (
                "Objects",
                "\(source.declared) declared, \(source.applied) applied and \(source.pruned) pruned by the last sync, "
                    + "\(source.drifted) drifted, \(source.failed) failed"
            ),
        ] + source.driftedObjects.map { ("Drifted", $0) }
    }

    private func line(_ name: String, _ value: String?) -> String {
        guard let value = value?.printable, !value.isEmpty else { return "" }
        let shown = [Self.phase, Self.state].contains(name) ? Phase.colored(value, hasColor) : value
        return "\(name):\(String(repeating: " ", count: max(1, 14 - name.count)))\(shown)\n"
    }

    private static let phase = "Phase"
    private static let state = "State"

    private func conditions(_ object: ObjectView) -> String {
        let rows = object.conditions.map { condition in
            [
                condition.type, condition.status, condition.reason ?? "", Age.text(condition.since, nowMs: nowMs),
                condition.firstLine,
            ]
        }
        return table(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows)
    }

    private func runs(_ agent: AgentView) -> String {
        let rows = agent.runs.map { run in
            [
                String(run.ordinal), run.phase, run.pid.map { String($0) } ?? "-", String(run.restarts),
                run.readyAt.map { Age.text($0, nowMs: nowMs) } ?? "-", run.lastExit ?? "-",
            ]
        }
        return table(["ORDINAL", "PHASE", "PID", "RESTARTS", "READY", "LAST EXIT"], rows)
    }

    private func events(_ events: [EventView]) -> String {
        let rows = events.suffix(20).map { event in
            [Age.text(event.occurredAt, nowMs: nowMs), event.type, event.run, event.detail]
        }
        return table(["AGE", "TYPE", "RUN", "REASON"], rows)
    }

    private func table(_ header: [String], _ rows: [[String]]) -> String {
        Table(header, rows, hasColor: hasColor).text()
    }

    private func indent(_ text: String) -> String { text.split(separator: "\n").map { "  \($0)\n" }.joined() }
}
