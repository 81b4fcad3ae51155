/// What the shape of single fields cannot say about an agent.
extension Validator {
    /// Rules across fields; call after `check` found no errors.
    public mutating func checkRules(_ object: Node, kind: Kind) {
        switch kind {
        case .agent: checkAgent(object)
        case .secret: checkSecret(object)
        case .namespace, .configMap: break
        }
    }

    private mutating func checkAgent(_ object: Node) {
        guard let spec = object["spec"] else { return }
        if spec["driver"]?.string == "process" { checkProcess(spec) }
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
        if let node = spec["suspendMode"], node.string == "Freeze" {
            report(node.mark, "spec.suspendMode", "Freeze is not supported by this version; use Stop")
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
