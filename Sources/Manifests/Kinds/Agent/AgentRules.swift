import Values

/// What the shape of single fields cannot say about an agent.
extension Validator {
    mutating func checkAgent(_ object: Node) {
        guard let spec = object["spec"] else { return }
        checkDriver(spec)
        checkCapabilities(spec)
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

    /// What the driver cannot honour is refused by name, with the drivers that can.
    private mutating func checkDriver(_ spec: Node) {
        guard let driver = drivers[spec["driver"]?.string ?? ""] else { return }
        for feature in AgentFeature.allCases {
            guard let (field, mark) = feature.request(in: spec) else { continue }
            if let refusal = drivers.refusal(of: feature, by: driver) { report(mark, field, refusal) }
        }
        switch driver.program {
        case .command(let why):
            if spec["command"] == nil { report(spec.mark, "spec.command", "required: \(why)") }
        case .image:
            if (spec["image"] == nil) == (spec["imageArchive"] == nil) {
                report(spec.mark, "spec.image", "the driver \(driver.name) needs exactly one of image, imageArchive")
            }
        }
    }

    private mutating func checkCapabilities(_ spec: Node) {
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
