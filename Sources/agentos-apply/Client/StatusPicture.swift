import Manifests
import Values

/// What a person sees of all agents: problems first.
package struct StatusPicture {
    /// How much somebody should care.
    private enum Concern: Int, Comparable {
        case broken, waiting, fine

        init(_ agent: ObjectView) {
            self =
                switch agent.phase ?? "" {
                case "Failed", "BackingOff": .broken
                case "Ready", "Completed", "Suspended", "Stopped": .fine
                default: .waiting
                }
        }

        static func < (a: Concern, b: Concern) -> Bool { a.rawValue < b.rawValue }
    }

    package struct Problem: Equatable {
        package var namespace: String
        package var agent: String
        package var text: String
        /// The replica whose last lines say more; nil: none does.
        package var ordinal: Int?

        package init(namespace: String, agent: String, text: String, ordinal: Int?) {
            self.namespace = namespace
            self.agent = agent
            self.text = text
            self.ordinal = ordinal
        }
    }

    private let agents: [ObjectView]
    private let isWide: Bool
    private let hasColor: Bool
    private let nowMs: Int64

    /// - Parameter agents: in the order in which the daemon lists them.
    package init(_ agents: [ObjectView], isWide: Bool, hasColor: Bool, nowMs: Int64) {
        self.agents = agents
        self.isWide = isWide
        self.hasColor = hasColor
        self.nowMs = nowMs
    }

    private var ordered: [ObjectView] {
        agents.enumerated().sorted { (Concern($0.element), $0.offset) < (Concern($1.element), $1.offset) }
            .map(\.element)
    }

    package var table: String {
        let table = ObjectTable(.agent, isWide: isWide, withNamespace: true, nowMs: nowMs)
        return Table(table.header, ordered.map(table.cells), hasColor: hasColor).text()
    }

    /// How many there are of each concern.
    package var summary: String {
        var counts: [Concern: Int] = [:]
        for agent in agents { counts[Concern(agent), default: 0] += 1 }
        return "\(agents.count) agents: \(counts[.broken] ?? 0) broken, \(counts[.waiting] ?? 0) on their way, "
            + "\(counts[.fine] ?? 0) as they should be"
    }

    /// What is wrong, each with the reason.
    package var problems: [Problem] {
        ordered.flatMap { agent -> [Problem] in
            var found: [Problem] = []
            let name = "\(agent.namespace)/\(agent.name)"
            let view = AgentView(agent)
            if Concern(agent) == .broken {
                let reason = [view.ready?.reason, view.ready?.firstLine].compactMap(\.self).joined(separator: ": ")
                    .printable
                let down = view.runs.first { ["Failed", "BackingOff"].contains($0.phase) }
                found.append(
                    Problem(
                        namespace: agent.namespace, agent: agent.name, text: "\(name): \(reason)",
                        ordinal: down?.ordinal))
            }
            if let progressing = agent.condition("Progressing"), progressing.reason == "PausedWithChanges" {
                let text =
                    "\(name): \(progressing.firstLine); "
                    + "'agentos-apply rollout resume \(agent.name) -n \(agent.namespace)' goes on"
                found.append(Problem(namespace: agent.namespace, agent: agent.name, text: text, ordinal: nil))
            }
            let stale = Set(view.runs.flatMap(\.staleInputs)).sorted()
            if !stale.isEmpty {
                let text =
                    "\(name): runs with old values of \(stale.joined(separator: ", ")); "
                    + "'agentos-apply restart \(agent.name) -n \(agent.namespace)' renews them"
                found.append(Problem(namespace: agent.namespace, agent: agent.name, text: text, ordinal: nil))
            }
            return found
        }
    }

    // MARK: As a tree

    /// Namespaces, and in each the agents, below the first that they depend on.
    package var tree: String {
        Dictionary(grouping: ordered, by: \.namespace).sorted { $0.key < $1.key }.map { namespace, agents in
            var below: [String: [ObjectView]] = [:]
            let names = Set(agents.map(\.name))
            for agent in agents {
                let parent = AgentView(agent).dependencies.first { names.contains($0) && $0 != agent.name }
                below[parent ?? "", default: []].append(agent)
            }
            return "\(namespace)\n" + branches(below[""] ?? [], below, names, margin: "")
        }.joined()
    }

    /// The daemon refuses circles, so that each agent is reached once.
    private func branches(
        _ agents: [ObjectView], _ below: [String: [ObjectView]], _ names: Set<String>, margin: String
    ) -> String {
        agents.enumerated().map { index, agent in
            let isLast = index == agents.count - 1
            return "\(margin)\(isLast ? "└─ " : "├─ ")\(line(agent, names))\n"
                + branches(below[agent.name] ?? [], below, names, margin: margin + (isLast ? "   " : "│  "))
        }.joined()
    }

    private func line(_ agent: ObjectView, _ names: Set<String>) -> String {
        let view = AgentView(agent)
        let phase = (agent.phase ?? "Unknown").printable
        var line =
            "\(agent.name)  \(Phase.colored(phase, hasColor)) \(view.readyReplicas)/\(view.replicas ?? 0)"
        if Concern(agent) != .fine, let reason = view.ready?.firstLine, !reason.isEmpty {
            line += "  \(reason.printable)"
        }
        let others = view.dependencies.filter { $0 != view.dependencies.first { names.contains($0) } }
        if !others.isEmpty {
            let words = others.map { names.contains($0) ? $0 : "\($0) (which is not there)" }
            line += "  needs \(words.joined(separator: ", "))"
        }
        return line
    }
}
