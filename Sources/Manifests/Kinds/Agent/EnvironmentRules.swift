import Values

/// Variables of agents.
extension Validator {
    mutating func checkEnvironment(_ spec: Node) {
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
        checkArguments(spec)
    }

    /// The arguments of a process can be read by everybody on the machine: no value of a Secret may get there.
    private mutating func checkArguments(_ spec: Node) {
        let secrets = SecretVariables(spec)
        for field in ["command", "args"] {
            for (index, word) in (spec[field]?.list ?? []).enumerated() {
                guard let name = Expansion.names(in: word.string ?? "").first(where: secrets.contains) else { continue }
                report(
                    word.mark, "spec.\(field)[\(index)]",
                    "$(\(name)) would show the value of a Secret in the list of processes; "
                        + "the agent can read it from its environment")
            }
        }
    }
}
