import Manifests
import Values

extension Server {
    func version(_ call: Call) {
        call.respond(
            200,
            .map([
                ("major", "1"), ("minor", "30"), ("gitVersion", .text("v1.30.0+agentos.\(settings.version)")),
                ("agentos", .text(settings.version)), ("platform", "linux"),
            ]))
    }

    func coreVersions(_ call: Call) { call.respond(200, .map([("kind", "APIVersions"), ("versions", ["v1"])])) }

    func groups(_ call: Call) {
        let groups = Route.groups.map { group -> Node in
            let version = Node.map([("groupVersion", .text("\(group)/v1")), ("version", "v1")])
            return .map([("name", .text(group)), ("versions", [version]), ("preferredVersion", version)])
        }
        call.respond(200, .map([("kind", "APIGroupList"), ("apiVersion", "v1"), ("groups", .list(groups))]))
    }

    /// The resources of a group, as the table of routes has them.
    func resources(_ call: Call, group: String) {
        let resources = Kind.allCases.filter { $0.group == group }.map { kind in
            Node.map([
                ("name", .text(kind.resource)), ("singularName", .text(kind.singular)),
                ("namespaced", Node(.bool(kind.isNamespaced))), ("kind", .text(kind.rawValue)),
                ("shortNames", .list(kind.shortNames.map(Node.text))),
                ("verbs", .list(Self.verbs(kind).map(Node.text))),
            ])
        }
        call.respond(
            200,
            .map([
                ("kind", "APIResourceList"), ("apiVersion", "v1"),
                ("groupVersion", .text(group.isEmpty ? "v1" : "\(group)/v1")), ("resources", .list(resources)),
            ]))
    }

    private static func verbs(_ kind: Kind) -> [String] {
        let object = Action.Object.resource(group: kind.group, name: kind.resource, subresource: "")
        return Set(Route.table.filter { $0.object == object }.flatMap(\.verbs)).map(\.rawValue).sorted()
    }
}
