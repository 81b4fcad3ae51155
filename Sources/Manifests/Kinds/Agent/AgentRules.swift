public import Values

/// What the shape of single fields cannot say about an agent.
extension Validator {
    /// Rules across fields; call after `check` found no errors.
    public mutating func checkRules(_ object: Node, kind: Kind) {
        switch kind {
        case .agent: checkAgent(object)
        case .secret: checkSecret(object)
        case .source: checkSource(object)
        case .namespace, .configMap: break
        }
    }

    private mutating func checkAgent(_ object: Node) {
        guard let spec = object["spec"] else { return }
        if spec["driver"]?.string == "process" { checkProcess(spec) } else { checkContainer(spec) }
        checkVolumes(spec)
        checkProbes(spec)
        checkEnvironment(spec)
        for resource in ["cpu", "memory"] {
            let request = spec[path: "resources", "requests", resource]
            let limit = spec[path: "resources", "limits", resource]
            if let request, let limit, let asked = Quantity.milli(request), let most = Quantity.milli(limit),
                asked > most
            {
                report(request.mark, "spec.resources.requests.\(resource)", "must not be more than the limit")
            }
        }
        let backoff = spec["backoff"]
        if let first = backoff?["initialSeconds"], let most = backoff?["maxSeconds"]?.double, first.double ?? 0 > most {
            report(first.mark, "spec.backoff.initialSeconds", "must not be more than maxSeconds (\(Int(most)))")
        }
        var names: Set<String> = []
        for (index, item) in (spec["dependsOn"]?.list ?? []).enumerated() {
            let name = item["name"]?.string ?? ""
            let path = "spec.dependsOn[\(index)].name"
            if name == object[path: "metadata", "name"]?.string {
                report(item.mark, path, "an agent cannot depend on itself")
            }
            if !names.insert(name).inserted { report(item.mark, path, "\"\(name)\" stands twice") }
        }
        if spec[path: "securityContext", "allowPrivilegeEscalation"]?.bool == true {
            report(
                spec[path: "securityContext", "allowPrivilegeEscalation"]?.mark ?? .none,
                "spec.securityContext.allowPrivilegeEscalation", "must be false: no_new_privs is always set")
        }
    }

    private mutating func checkProcess(_ spec: Node) {
        for name in AgentSpec.containerOnlyFields {
            if let node = spec[name] {
                report(node.mark, "spec.\(name)", "the driver process cannot honour this; containerd and gvisor can")
            }
        }
        for name in ["readOnlyRootFilesystem", "capabilities"] {
            if let node = spec["securityContext"]?[name], node.bool != false {
                report(
                    node.mark, "spec.securityContext.\(name)",
                    "the driver process cannot honour this; containerd and gvisor can")
            }
        }
        if let mode = spec[path: "network", "mode"], mode.string != "Host" {
            report(
                mode.mark, "spec.network.mode",
                "the driver process cannot honour this, a process has the machine's network; containerd and gvisor can")
        }
        if spec["command"] == nil {
            report(spec.mark, "spec.command", "required: a process has no image that names a command")
        }
    }

    private mutating func checkContainer(_ spec: Node) {
        let driver = spec["driver"]?.string ?? ""
        if (spec["image"] == nil) == (spec["imageArchive"] == nil) {
            report(spec.mark, "spec.image", "the driver \(driver) needs exactly one of image, imageArchive")
        }
        if let node = spec["filesystem"] {
            report(
                node.mark, "spec.filesystem",
                "the driver \(driver) cannot honour this, a container has a file system of its own; process can")
        }
        for (index, node) in (spec[path: "securityContext", "capabilities", "drop"]?.list ?? []).enumerated() {
            let name = Capabilities.plainName(node.string ?? "")
            if name != "ALL", name.contains(where: { !$0.isUppercase && $0 != "_" }) {
                report(
                    node.mark, "spec.securityContext.capabilities.drop[\(index)]",
                    "expected ALL or the name of a capability such as NET_BIND_SERVICE")
            }
        }
    }

    private mutating func checkProbes(_ spec: Node) {
        let actions = ["exec", "httpGet", "tcpSocket"]
        for name in ["startupProbe", "readinessProbe", "livenessProbe"] {
            guard let probe = spec[name] else { continue }
            if actions.filter({ probe[$0] != nil }).count != 1 {
                report(probe.mark, "spec.\(name)", "expected exactly one of \(actions.joined(separator: ", "))")
            }
            if name != "readinessProbe", let count = probe["successThreshold"], count.int != 1 {
                report(count.mark, "spec.\(name).successThreshold", "must be 1: only a readinessProbe counts successes")
            }
            let network =
                spec[path: "network", "mode"]?.string ?? (spec["driver"]?.string == "process" ? "Host" : "None")
            if probe["exec"] == nil, network == "None" {
                report(
                    probe.mark, "spec.\(name)",
                    "an agent with network None cannot be reached; use exec, or network: {mode: Bridge}")
            }
        }
    }

    private mutating func checkVolumes(_ spec: Node) {
        let kinds = ["persistent", "emptyDir", "hostPath", "secret", "configMap"]
        var names: Set<String> = []
        for (index, item) in (spec["volumes"]?.list ?? []).enumerated() {
            if kinds.filter({ item[$0] != nil }).count != 1 {
                report(item.mark, "spec.volumes[\(index)]", "expected exactly one of \(kinds.joined(separator: ", "))")
            }
            let name = item["name"]?.string ?? ""
            if !names.insert(name).inserted {
                report(item.mark, "spec.volumes[\(index)].name", "\"\(name)\" stands twice")
            }
        }
        var paths: Set<String> = []
        for (index, item) in (spec["volumeMounts"]?.list ?? []).enumerated() {
            let name = item["name"]?.string ?? ""
            let path = item["mountPath"]?.string ?? ""
            if !names.contains(name) {
                report(
                    item.mark, "spec.volumeMounts[\(index)].name",
                    "spec.volumes has no \"\(name)\"\(Suggestion.text(for: name, among: names.sorted()))")
            }
            if path == "/" || path.split(separator: "/").contains("..") || !paths.insert(path).inserted {
                report(
                    item.mark, "spec.volumeMounts[\(index)].mountPath",
                    "must be a path of its own below /, without \"..\"")
            }
        }
    }

    private mutating func checkEnvironment(_ spec: Node) {
        var names: Set<String> = []
        for (index, item) in (spec["env"]?.list ?? []).enumerated() {
            let path = "spec.env[\(index)]"
            let name = item["name"]?.string ?? ""
            if item["value"] != nil, item["valueFrom"] != nil {
                report(item.mark, path, "value and valueFrom exclude each other")
            }
            if !names.insert(name).inserted { report(item.mark, "\(path).name", "\"\(name)\" stands twice") }
            if name.hasPrefix("AGENTOS_") {
                report(item.mark, "\(path).name", "names that start with AGENTOS_ are reserved")
            }
            if let field = item[path: "valueFrom", "fieldRef", "fieldPath"], FieldPath(field.string ?? "") == nil {
                report(
                    field.mark, "\(path).valueFrom.fieldRef.fieldPath",
                    "expected metadata.name, metadata.namespace, metadata.uid or metadata.labels['KEY']")
            }
        }
        for (index, item) in (spec["envFrom"]?.list ?? []).enumerated()
        where (item["configMapRef"] == nil) == (item["secretRef"] == nil) {
            report(item.mark, "spec.envFrom[\(index)]", "expected exactly one of configMapRef, secretRef")
        }
    }

    private mutating func checkSecret(_ object: Node) {
        let encoded = Set(object["data"]?.map?.entries.map(\.key) ?? [])
        for entry in object["stringData"]?.map?.entries ?? [] where encoded.contains(entry.key) {
            report(entry.mark, "stringData.\(entry.key)", "stands in data too")
        }
        for (index, item) in (object["dataFrom"]?.list ?? []).enumerated()
        where (item["file"] == nil) == (item["environment"] == nil) {
            report(item.mark, "dataFrom[\(index)]", "expected exactly one of file, environment")
        }
    }
}

/// A field of an agent that its environment can show.
public enum FieldPath: Sendable, Equatable {
    case name, namespace, uid
    case label(String)

    public init?(_ text: String) {
        switch text {
        case "metadata.name": self = .name
        case "metadata.namespace": self = .namespace
        case "metadata.uid": self = .uid
        default:
            guard text.hasPrefix("metadata.labels['"), text.hasSuffix("']") else { return nil }
            self = .label(String(text.dropFirst(17).dropLast(2)))
        }
    }
}
