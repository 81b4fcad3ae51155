import Values

/// What the shape of single fields cannot say about an agent.
extension Validator {
    mutating func checkAgent(_ object: Node) {
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
}
