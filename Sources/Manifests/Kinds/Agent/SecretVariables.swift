import Values

/// The variables of an agent whose values come from Secrets, directly or through other variables.
struct SecretVariables {
    private var names: Set<String> = []
    /// Prefixes of all keys of a Secret.
    private var prefixes: [String] = []
    /// Names that are known to come from elsewhere.
    private var others: Set<String> = []
    /// Prefixes of all keys of a ConfigMap: what begins with one may be its.
    private var otherPrefixes: [String] = []

    init(_ spec: Node) {
        for item in spec["envFrom"]?.list ?? [] {
            let prefix = item["prefix"]?.string ?? ""
            if item["secretRef"] != nil { prefixes.append(prefix) } else { otherPrefixes.append(prefix) }
        }
        for item in spec["env"]?.list ?? [] {
            guard let name = item["name"]?.string else { continue }
            let isSecret =
                item[path: "valueFrom", "secretKeyRef"] != nil
                || Expansion.names(in: item["value"]?.string ?? "").contains(where: contains)
            if isSecret { names.insert(name) } else { others.insert(name) }
        }
    }

    func contains(_ name: String) -> Bool {
        if names.contains(name) { return true }
        return !others.contains(name) && !name.hasPrefix("AGENTOS_") && prefixes.contains(where: name.hasPrefix)
            && !otherPrefixes.contains(where: name.hasPrefix)
    }
}
