import Manifests
import Planner
import Values

/// All roles and bindings, kept so that a question costs what the asker's own bindings cost, not all there are.
///
/// Pure: the same question to the same roles has the same answer. What is not allowed is refused.
public struct AccessIndex: Sendable {
    private struct Subject: Hashable, Sendable {
        enum Kind: Sendable { case user, group }

        var kind: Kind
        var name: String
    }

    private struct Binding: Sendable {
        var subjects: Set<Subject>
        var role: ObjectKey
    }

    private var roles: [ObjectKey: [PolicyRule]] = [:]
    private var bindings: [ObjectKey: Binding] = [:]
    /// Of each subject: its bindings by their namespace, empty for those that hold everywhere.
    private var bySubject: [Subject: [String: Set<ObjectKey>]] = [:]

    public init() {}

    // MARK: Keeping

    static let kinds = roleKinds.union(bindingKinds)
    private static let roleKinds: Set<Kind> = [.role, .clusterRole]
    private static let bindingKinds: Set<Kind> = [.roleBinding, .clusterRoleBinding]

    /// Takes a role or a binding as it is now; other kinds are none of its business.
    mutating func put(_ key: ObjectKey, _ content: Node) {
        remove(key)
        if Self.roleKinds.contains(key.kind) { roles[key] = Self.rules(content) }
        if Self.bindingKinds.contains(key.kind) {
            let binding = Binding(
                subjects: Set((content["subjects"]?.list ?? []).compactMap(Self.subject)),
                role: Self.role(key, content))
            bindings[key] = binding
            for subject in binding.subjects {
                bySubject[subject, default: [:]][key.namespace, default: []].insert(key)
            }
        }
    }

    mutating func remove(_ key: ObjectKey) {
        roles[key] = nil
        guard let binding = bindings.removeValue(forKey: key) else { return }
        for subject in binding.subjects {
            bySubject[subject]?[key.namespace]?.remove(key)
            if bySubject[subject]?[key.namespace]?.isEmpty == true { bySubject[subject]?[key.namespace] = nil }
            if bySubject[subject]?.isEmpty == true { bySubject[subject] = nil }
        }
    }

    static func rules(_ role: Node) -> [PolicyRule] { (role["rules"]?.list ?? []).map(PolicyRule.init) }

    /// The role that a binding names.
    static func role(_ binding: ObjectKey, _ content: Node) -> ObjectKey {
        let ref = content["roleRef"]
        let isOfNamespace = ref?["kind"]?.string == Kind.role.rawValue
        return ObjectKey(
            isOfNamespace ? .role : .clusterRole, namespace: isOfNamespace ? binding.namespace : "",
            name: ref?["name"]?.string ?? "")
    }

    private static func subject(_ node: Node) -> Subject? {
        guard let name = node["name"]?.string else { return nil }
        return switch node["kind"]?.string {
        case "User": Subject(kind: .user, name: name)
        case "Group": Subject(kind: .group, name: name)
        case "ServiceAccount":
            Subject(kind: .user, name: "system:serviceaccount:\(node["namespace"]?.string ?? ""):\(name)")
        default: nil
        }
    }

    // MARK: Asking

    /// Whether a principal may do what it asks for.
    public func allows(_ principal: Principal, _ asked: Attributes) -> Bool {
        if principal.isMaster { return true }
        var namespace = ""
        if case .resource(_, _, _, let place, _) = asked.target { namespace = place }
        return Self.subjects(of: principal).contains { subject in
            guard let places = bySubject[subject] else { return false }
            return (namespace.isEmpty ? [""] : ["", namespace]).contains { place in
                places[place, default: []].contains { binding in
                    bindings[binding].flatMap { roles[$0.role] }?.contains { $0.allows(asked) } ?? false
                }
            }
        }
    }

    /// All rules that hold for a principal in a namespace, or, when it is empty, everywhere.
    public func rules(_ principal: Principal, namespace: String) -> [PolicyRule] {
        if principal.isMaster { return Self.everything }
        let places = namespace.isEmpty ? [""] : ["", namespace]
        let found = Self.subjects(of: principal).flatMap { subject in
            places.flatMap { bySubject[subject]?[$0] ?? [] }
        }
        var seen: Set<PolicyRule> = []
        return Set(found).sorted().flatMap { bindings[$0].flatMap { roles[$0.role] } ?? [] }
            .filter { seen.insert($0).inserted }
    }

    private static let everything = [
        PolicyRule(verbs: ["*"], groups: ["*"], resources: ["*"]), PolicyRule(verbs: ["*"], paths: ["*"]),
    ]

    private static func subjects(of principal: Principal) -> [Subject] {
        [Subject(kind: .user, name: principal.user)] + principal.groups.map { Subject(kind: .group, name: $0) }
    }

    /// The first of some rules that a principal does not have itself; nil when it has them all.
    ///
    /// - Throws: what is too much to compare.
    func missing(_ principal: Principal, namespace: String, of wanted: [PolicyRule]) throws(TooManyRules) -> PolicyRule?
    {
        if principal.isMaster { return nil }
        let own = rules(principal, namespace: namespace)
        var left = Limits.accessPartsMax
        for rule in wanted where !own.contains(where: { $0.covers(rule) }) {
            let count = rule.partCount
            guard count >= 0, count <= left else { throw TooManyRules() }
            left -= count
            if let part = rule.parts.first(where: { part in !own.contains { $0.covers(part) } }) { return part }
        }
        return nil
    }

    /// More single rights are granted in one role than can be compared.
    struct TooManyRules: Error {}
}
