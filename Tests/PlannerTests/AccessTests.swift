import Glibc
import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// What roles and bindings allow, as Kubernetes' RBAC reads them.
@Suite struct AccessTests {
    private static let rbac = "rbac.authorization.k8s.io"

    private static func person(_ name: String, _ groups: String...) -> Principal {
        Principal(user: name, groups: groups + [Principal.authenticated], via: .certificate)
    }

    private static func key(_ kind: Kind, _ name: String, _ namespace: String = "") -> ObjectKey {
        ObjectKey(kind, namespace: namespace, name: name)
    }

    private static func binding(_ role: Kind, _ name: String, _ subjects: [(String, String)]) -> Node {
        .map([
            (
                "subjects",
                .list(
                    subjects.map { kind, name in
                        let parts = name.split(separator: "/").map(String.init)
                        return .map([
                            ("kind", .text(kind)), ("name", .text(parts[parts.count - 1])),
                            ("namespace", parts.count > 1 ? .text(parts[0]) : nil),
                        ])
                    })
            ), ("roleRef", .map([("kind", .text(role.rawValue)), ("name", .text(name))])),
        ])
    }

    private static func rule(
        _ verbs: [String], _ groups: [String] = [], _ resources: [String] = [], names: [String] = [],
        paths: [String] = []
    ) -> Node {
        PolicyRule(
            verbs: Set(verbs), groups: Set(groups), resources: Set(resources), names: Set(names), paths: Set(paths)
        ).node
    }

    private static func index(_ objects: [(ObjectKey, Node)]) -> AccessIndex {
        var index = AccessIndex()
        for (key, content) in objects { index.put(key, content) }
        return index
    }

    private static let index = index([
        (key(.role, "reader", "a"), .map([("rules", [rule(["get", "list"], ["agentos.dev"], ["agents"])])])),
        (
            key(.role, "one", "a"),
            .map([("rules", [rule(["get", "create", "delete"], [""], ["secrets"], names: ["x"])])])
        ),
        (
            key(.clusterRole, "ops"),
            .map([
                (
                    "rules",
                    [
                        rule(["patch"], ["*"], ["*/scale"]), rule(["*"], [""], ["pods/*"]),
                        rule(["get"], ["agentos.dev"], ["agents/log"]), rule(["get"], paths: ["/metrics", "/logs/*"]),
                    ]
                )
            ])
        ), (key(.clusterRole, "all"), .map([("rules", [rule(["*"], ["*"], ["*"])])])),
        (key(.roleBinding, "readers", "a"), binding(.role, "reader", [("User", "jane"), ("Group", "readers")])),
        (key(.roleBinding, "ones", "a"), binding(.role, "one", [("ServiceAccount", "a/robot")])),
        (key(.roleBinding, "alls", "b"), binding(.clusterRole, "all", [("User", "bob")])),
        (key(.clusterRoleBinding, "opses"), binding(.clusterRole, "ops", [("User", "olga")])),
        (key(.roleBinding, "lost", "a"), binding(.role, "missing", [("User", "lost")])),
        // A Role of another namespace is none of this binding's.
        (key(.roleBinding, "elsewhere", "b"), binding(.role, "reader", [("User", "jane")])),
    ])

    @Test(arguments: [
        // Namespaces, groups and verbs.
        ("jane", "get", "agentos.dev", "agents", "", "a", "x", true),
        ("jane", "list", "agentos.dev", "agents", "", "a", "", true),
        ("jane", "get", "agentos.dev", "agents", "", "b", "x", false),
        ("jane", "list", "agentos.dev", "agents", "", "", "", false),
        ("jane", "watch", "agentos.dev", "agents", "", "a", "", false),
        ("jane", "get", "", "agents", "", "a", "x", false),
        ("jane", "get", "agentos.dev", "agents", "log", "a", "x", false),
        ("Jane", "get", "agentos.dev", "agents", "", "a", "x", false),
        ("readers", "get", "agentos.dev", "agents", "", "a", "x", false),
        // Single objects; what is made has no name yet.
        ("system:serviceaccount:a:robot", "get", "", "secrets", "", "a", "x", true),
        ("system:serviceaccount:a:robot", "get", "", "secrets", "", "a", "y", false),
        ("system:serviceaccount:a:robot", "list", "", "secrets", "", "a", "", false),
        ("system:serviceaccount:a:robot", "create", "", "secrets", "", "a", "", false),
        ("system:serviceaccount:b:robot", "get", "", "secrets", "", "a", "x", false),
        ("robot", "get", "", "secrets", "", "a", "x", false),
        // Subresources.
        ("olga", "patch", "apps", "deployments", "scale", "c", "x", true),
        ("olga", "patch", "apps", "deployments", "", "c", "x", false),
        ("olga", "patch", "apps", "scale", "", "c", "x", false),
        ("olga", "create", "", "pods", "exec", "c", "x", true),
        ("olga", "create", "", "pods", "", "c", "x", false),
        ("olga", "get", "agentos.dev", "agents", "log", "c", "x", true),
        ("olga", "get", "agentos.dev", "agents", "", "c", "x", false),
        // A ClusterRole that is bound in a namespace holds there alone.
        ("bob", "deletecollection", "x", "y", "z", "b", "n", true),
        ("bob", "get", "x", "y", "z", "a", "n", false), ("bob", "get", "", "nodes", "", "", "", false),
        // A binding to nothing allows nothing, nor does a name that nobody has bound.
        ("lost", "get", "agentos.dev", "agents", "", "a", "x", false),
        ("stranger", "get", "agentos.dev", "agents", "", "a", "x", false),
    ])
    func rolesAllowWhatTheySay(
        user: String, verb: String, group: String, resource: String, subresource: String, namespace: String,
        name: String, isAllowed: Bool
    ) {
        let asked = Attributes(
            verb, group: group, resource, subresource: subresource, namespace: namespace, name: name)
        #expect(Self.index.allows(Self.person(user), asked) == isAllowed)
        #expect(Self.index.allows(Self.person("root", Principal.masters), asked))
        #expect(!AccessIndex().allows(Self.person(user), asked))
    }

    @Test(arguments: [
        ("/metrics", true), ("/logs/", true), ("/logs/a/b", true), ("/logs", false), ("/metrics/", false),
        ("/metricsx", false), ("/", false),
    ])
    func pathsAreAllowedByName(path: String, isAllowed: Bool) {
        #expect(Self.index.allows(Self.person("olga"), Attributes("get", .path(path))) == isAllowed)
        #expect(!Self.index.allows(Self.person("olga"), Attributes("post", .path(path))))
        #expect(!Self.index.allows(Self.person("bob"), Attributes("get", .path(path))))
    }

    @Test func groupsAreBoundAsUsersAre() {
        let asked = Attributes("get", group: "agentos.dev", "agents", namespace: "a", name: "x")
        #expect(Self.index.allows(Self.person("x", "readers"), asked))
        #expect(!Self.index.allows(Self.person("x", "Readers", "jane"), asked))
    }

    @Test func whatIsRemovedAllowsNothingAnyMore() {
        let asked = Attributes("get", group: "agentos.dev", "agents", namespace: "a", name: "x")
        var index = Self.index
        index.remove(Self.key(.roleBinding, "readers", "a"))
        #expect(!index.allows(Self.person("jane"), asked))
        index = Self.index
        index.remove(Self.key(.role, "reader", "a"))
        #expect(!index.allows(Self.person("jane"), asked))
        index.put(Self.key(.role, "reader", "a"), .map([("rules", [Self.rule(["get"], ["*"], ["*"])])]))
        #expect(index.allows(Self.person("jane"), asked))
    }

    @Test func refusalsAreInKubernetesWords() {
        let one = Attributes("get", group: "agentos.dev", "agents", namespace: "default", name: "x")
        #expect(
            one.refusal("jane")
                == #"agents.agentos.dev "x" is forbidden: User "jane" cannot get resource "agents" in API group "agentos.dev" in the namespace "default""#
        )
        #expect(
            Attributes("list", group: "", "secrets").refusal("jane")
                == #"secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" at the cluster scope"#
        )
        #expect(
            Attributes("get", .path("/metrics")).refusal("jane")
                == #"forbidden: User "jane" cannot get path "/metrics""#)
    }

    // MARK: Granting

    private static let own = index([
        (
            key(.clusterRole, "own"),
            .map([
                (
                    "rules",
                    [
                        rule(["get", "list"], ["", "apps"], ["pods", "secrets"]), rule(["watch"], [""], ["pods"]),
                        rule(["update"], [""], ["configmaps"], names: ["a", "b"]),
                        rule(["*"], ["x"], ["*/scale", "y"]),
                        rule(["get"], paths: ["/a", "/b/*"]), rule(["get"], ["z"], ["agents/*"]),
                    ]
                )
            ])
        ), (key(.roleBinding, "own", "n"), binding(.clusterRole, "own", [("User", "jane")])),
    ])

    @Test(arguments: [
        (["get"], [""], ["pods"], [], true), (["get", "list"], ["", "apps"], ["pods", "secrets"], [], true),
        // Two rules together.
        (["get", "watch"], [""], ["pods"], [], true), (["get", "watch"], [""], ["pods", "secrets"], [], false),
        (["*"], [""], ["pods"], [], false), (["get"], ["*"], ["pods"], [], false),
        (["get"], [""], ["*"], [], false), (["get"], [""], ["pods/log"], [], false),
        (["get"], [""], ["secrets"], ["one"], true), (["update"], [""], ["configmaps"], ["a"], true),
        (["update"], [""], ["configmaps"], ["a", "c"], false), (["update"], [""], ["configmaps"], [], false),
        (["*"], ["x"], ["*/scale"], [], true), (["*"], ["x"], ["y/scale"], [], true),
        (["delete"], ["x"], ["y"], [], true), (["*"], ["x"], ["y/status"], [], false),
        (["*"], ["x"], ["*"], [], false), (["get"], ["z"], ["agents/log"], [], true),
        (["get"], ["z"], ["agents/*"], [], true), (["get"], ["z"], ["*/log"], [], false),
        (["get"], ["z"], ["agents"], [], false), (["get"], ["x"], ["y/*"], [], false),
    ])
    func nobodyGrantsWhatHeDoesNotHave(
        verbs: [String], groups: [String], resources: [String], names: [String], isHeld: Bool
    ) throws {
        let wanted = PolicyRule(
            verbs: Set(verbs), groups: Set(groups), resources: Set(resources), names: Set(names))
        func missing(_ user: Principal, _ namespace: String) throws -> PolicyRule? {
            try Self.own.missing(user, namespace: namespace, of: [wanted])
        }
        #expect(try (missing(Self.person("jane"), "n") == nil) == isHeld)
        #expect(try missing(Self.person("jane"), "m") != nil)
        #expect(try missing(Self.person("jane"), "") != nil)
        #expect(try missing(Self.person("x", Principal.masters), "m") == nil)
    }

    @Test(arguments: [("/a", true), ("/b/c", true), ("/b/*", true), ("/b", false), ("/*", false), ("*", false)])
    func pathsAreGrantedByThoseWhoHaveThem(path: String, isHeld: Bool) throws {
        let wanted = PolicyRule(verbs: ["get"], paths: [path])
        #expect(try (Self.own.missing(Self.person("jane"), namespace: "n", of: [wanted]) == nil) == isHeld)
    }

    /// Whatever the numbers, comparing ends soon.
    @Test func tooManyRightsAtOnceAreNotCompared() {
        let words = Set((0..<200).map { "w\($0)" })
        let wanted = PolicyRule(verbs: words, groups: words, resources: words, names: words)
        #expect(throws: AccessIndex.TooManyRules.self) {
            try Self.own.missing(Self.person("jane"), namespace: "n", of: [wanted])
        }
    }

    /// A question costs what the asker's own bindings cost.
    @Test func thousandsOfBindingsOfOthersCostNothing() {
        let few = Self.cost(ofBindings: 50)
        let many = Self.cost(ofBindings: 5000)
        // Looked at one by one, a hundred times as many would cost a hundred times as much.
        #expect(many < 10 * few, "\(many) ns instead of \(few) ns for 1000 questions")
    }

    /// The least time of a processor, in ns, in which 1000 questions are answered.
    private static func cost(ofBindings count: Int) -> Int {
        var objects: [(ObjectKey, Node)] = [
            (key(.clusterRole, "all"), .map([("rules", [rule(["get"], ["agentos.dev"], ["agents"])])]))
        ]
        for number in 0..<count {
            objects.append(
                (key(.roleBinding, "b-\(number)", "a"), binding(.clusterRole, "all", [("User", "user-\(number)")])))
        }
        let index = index(objects)
        let asked = Attributes("get", group: "agentos.dev", "agents", namespace: "a", name: "x")
        let person = person("user-7")
        let costs = (0..<5).map { _ in
            let before = processorTimeNs()
            let allowed = (0..<1000).count { _ in index.allows(person, asked) }
            let cost = processorTimeNs() - before
            #expect(allowed == 1000)
            return cost
        }
        return costs.min() ?? 0
    }

    /// What this thread has had of a processor: the machine's other work and its pauses do not count.
    private static func processorTimeNs() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
