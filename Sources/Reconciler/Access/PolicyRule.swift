public import Values

/// One rule of a role: what may be done, as Kubernetes' RBAC reads it.
public struct PolicyRule: Sendable, Hashable {
    public var verbs: Set<String>
    public var groups: Set<String>
    public var resources: Set<String>
    /// Empty: all objects.
    public var names: Set<String>
    public var paths: Set<String>

    public init(
        verbs: Set<String>, groups: Set<String> = [], resources: Set<String> = [], names: Set<String> = [],
        paths: Set<String> = []
    ) {
        self.verbs = verbs
        self.groups = groups
        self.resources = resources
        self.names = names
        self.paths = paths
    }

    /// A rule as a role holds it.
    public init(_ node: Node) {
        func words(_ name: String) -> Set<String> { Set((node[name]?.list ?? []).compactMap(\.string)) }
        self.init(
            verbs: words("verbs"), groups: words("apiGroups"), resources: words("resources"),
            names: words("resourceNames"), paths: words("nonResourceURLs"))
    }

    /// Whether the rule allows what is asked.
    public func allows(_ asked: Attributes) -> Bool {
        guard Self.has(verbs, asked.verb) else { return false }
        switch asked.target {
        case .path(let path): return allowsPath(path)
        case .resource(let group, let resource, let subresource, _, let object):
            return Self.has(groups, group) && allowsResource(resource, subresource)
                && (names.isEmpty || names.contains(object))
        }
    }

    private static func has(_ words: Set<String>, _ word: String) -> Bool {
        words.contains("*") || words.contains(word)
    }

    /// `*`, the resource itself, `*/scale`, and `agents/*` for all that lies below agents.
    private func allowsResource(_ resource: String, _ subresource: String) -> Bool {
        if resources.contains("*") { return true }
        guard !subresource.isEmpty else { return resources.contains(resource) }
        return resources.contains("\(resource)/\(subresource)") || resources.contains("*/\(subresource)")
            || resources.contains("\(resource)/*")
    }

    private func allowsPath(_ path: String) -> Bool {
        paths.contains { pattern in
            pattern == "*" || pattern == path || (pattern.hasSuffix("*") && path.hasPrefix(pattern.dropLast()))
        }
    }

    // MARK: Granting

    /// Whether the rule allows all that another one allows. Two rules together may do so where each alone does not:
    /// that is for `parts`.
    func covers(_ other: PolicyRule) -> Bool {
        guard Self.all(verbs, other.verbs) else { return false }
        if !other.paths.isEmpty {
            return other.paths.allSatisfy(allowsPath)
        }
        guard Self.all(groups, other.groups), names.isEmpty || (!other.names.isEmpty && other.names.isSubset(of: names))
        else { return false }
        return other.resources.allSatisfy { resource in
            if resources.contains("*") || resources.contains(resource) { return true }
            guard let slash = resource.firstIndex(of: "/") else { return false }
            // `agents/*` speaks of all subresources: one of them is none of the others.
            return resources.contains("*\(resource[slash...])") && !resource.hasSuffix("/*")
                || resources.contains("\(resource[..<slash])/*") && !resource.hasPrefix("*")
        }
    }

    private static func all(_ words: Set<String>, _ wanted: Set<String>) -> Bool {
        words.contains("*") || wanted.isSubset(of: words)
    }

    /// How many rules of one verb, one group, one resource and one name it comes to.
    var partCount: Int {
        let places = paths.isEmpty ? [groups.count, resources.count, max(1, names.count)] : [paths.count]
        return places.reduce(verbs.count) { $0.multipliedReportingOverflow(by: $1).partialValue }
    }

    /// The rules of one verb, one group, one resource and one name that it comes to, in the order of their words.
    var parts: [PolicyRule] {
        if !paths.isEmpty {
            return verbs.sorted().flatMap { verb in paths.sorted().map { PolicyRule(verbs: [verb], paths: [$0]) } }
        }
        return verbs.sorted().flatMap { verb in
            groups.sorted().flatMap { group in
                resources.sorted().flatMap { resource in
                    (names.isEmpty ? [[]] : names.sorted().map { [$0] }).map {
                        PolicyRule(verbs: [verb], groups: [group], resources: [resource], names: Set($0))
                    }
                }
            }
        }
    }

    /// As a refusal names it.
    var words: String {
        func list(_ name: String, _ words: Set<String>) -> String? {
            words.isEmpty ? nil : "\(name): [\(words.sorted().map { "\"\($0)\"" }.joined(separator: ", "))]"
        }
        let parts = [
            list("verbs", verbs), list("apiGroups", groups), list("resources", resources),
            list("resourceNames", names), list("nonResourceURLs", paths),
        ]
        return "{\(parts.compactMap(\.self).joined(separator: ", "))}"
    }

    public var node: Node {
        func list(_ words: Set<String>) -> Node? { words.isEmpty ? nil : .list(words.sorted().map(Node.text)) }
        return .map([
            ("verbs", list(verbs)), ("apiGroups", list(groups)), ("resources", list(resources)),
            ("resourceNames", list(names)), ("nonResourceURLs", list(paths)),
        ])
    }
}
