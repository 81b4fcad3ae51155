import Values

/// Probes of agents.
extension Validator {
    mutating func checkProbes(_ spec: Node) {
        let actions = ["exec", "httpGet", "tcpSocket"]
        for name in ["startupProbe", "readinessProbe", "livenessProbe"] {
            guard let probe = spec[name] else { continue }
            if actions.filter({ probe[$0] != nil }).count != 1 {
                report(probe.mark, "spec.\(name)", "expected exactly one of \(actions.joined(separator: ", "))")
            }
            if name != "readinessProbe", let count = probe["successThreshold"], count.int != 1 {
                report(count.mark, "spec.\(name).successThreshold", "must be 1: only a readinessProbe counts successes")
            }
            let usual = drivers[spec["driver"]?.string ?? ""]?.usualNetwork
            let network = spec[path: "network", "mode"]?.string.flatMap(AgentSpec.Network.init) ?? usual
            if probe["exec"] == nil, let network, network == .none {
                report(
                    probe.mark, "spec.\(name)",
                    "an agent with network None cannot be reached; use exec, or network: {mode: Bridge}")
            }
        }
    }
}
