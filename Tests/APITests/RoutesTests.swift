import HTTP
import Loop
import Reconciler
import Resources
import Testing
import Values

@testable import API

@Suite struct RoutesTests {
    @Test func literalsGoBeforeNamesAndOtherMethodsAreKnown() {
        let router = Router()
        router.add("GET", "/a/{name}", 1)
        router.add("GET", "/a/b", 2)
        router.add("DELETE", "/a/{name}", 3)
        router.add("GET", "/a/b/c", 4)
        router.add("GET", "/a/{name}/d", 5)
        func found(_ method: String, _ path: String) -> String {
            switch router.match(method, path.split(separator: "/").map(String.init)) {
            case .found(let target, let names): "\(target) \(names.joined(separator: ","))"
            case .otherMethods(let methods): methods.joined(separator: ",")
            case .none: "none"
            }
        }
        #expect(found("GET", "/a/x") == "1 x")
        #expect(found("GET", "/a/b") == "2 ")
        #expect(found("DELETE", "/a/x") == "3 x")
        #expect(found("POST", "/a/x") == "DELETE,GET")
        #expect(found("GET", "/a/b/d") == "5 b", "a literal that leads nowhere does not hide a name")
        #expect(found("GET", "/a") == "none" && found("GET", "/a/x/y") == "none")
    }

    /// What a request does is named once: by verb, resource and subresource.
    @Test func noTwoRoutesDoTheSameInTheSamePlace() {
        var seen: Set<String> = []
        for route in Route.table {
            #expect(seen.insert("\(route.method) \(route.pattern)").inserted, "\(route.pattern)")
        }
        #expect(Route.table.count > 40)
    }

    /// What the table of resources says is served, and nothing else is.
    @Test func everyVerbOfTheTableHasARouteAndEveryRouteAVerb() {
        func verbs(_ resource: Resource, _ subresource: String) -> Set<String> {
            let object = Action.Object.resource(group: resource.group, name: resource.name, subresource: subresource)
            return Set(Route.table.filter { $0.object == object }.flatMap(\.verbs).map(\.rawValue))
        }
        for resource in Resource.all {
            #expect(verbs(resource, "") == Set(resource.verbs.map(\.rawValue)), "\(resource.qualifiedName)")
            for subresource in resource.subresources {
                let name = "\(resource.qualifiedName)/\(subresource.name)"
                #expect(verbs(resource, subresource.name) == Set(subresource.verbs.map(\.rawValue)), "\(name)")
            }
        }
        for route in Route.table {
            guard case .resource(let group, let name, let subresource) = route.object else { continue }
            let resource = Resource.named(name, group: group)
            let isKnown = subresource.isEmpty || resource?.subresources.contains { $0.name == subresource } == true
            #expect(resource != nil && isKnown, "\(route.pattern)")
        }
    }

    @Test(arguments: [
        ("application/json", "application/json"), ("", ""), ("*/*", "*/*"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json application/json"),
        ("text/html;q=0.1, application/json ; q=0.9", "application/json text/html"),
        ("a/b;q=0, c/d;q=x, e/f", "e/f"), (",;, ;q", ""),
    ])
    func whatClientsAcceptIsReadInTheirOrder(header: String, types: String) {
        #expect(Accepted([header]).ranges.map(\.type).joined(separator: " ") == types)
    }

    /// Without a role nobody may do more than find out what there is; only what tells of life asks nobody who he is.
    @Test func everyRouteHasARuleThatKeepsStrangersOut() throws {
        let stranger = Principal(user: "jane", groups: [Principal.authenticated], via: .certificate)
        let root = Principal.peer(0, isMaster: true)
        var open: [String] = []
        for route in Route.table {
            let verb = route.verbs[0].rawValue
            let asked: Attributes =
                switch route.object {
                case .path(let path): Attributes(verb, .path(path))
                case .resource(let group, let name, let subresource):
                    Attributes(verb, group: group, name, subresource: subresource)
                }
            func code(_ principal: Principal) -> Int? { route.rule.refusal(principal, asked, AccessIndex())?.code }
            #expect(code(root) == nil, "\(route.pattern)")
            switch route.rule {
            case .anyone: open.append(route.pattern)
            case .authenticated:
                #expect(code(.anonymous) == 401 && code(stranger) == nil, "\(route.pattern)")
                // What everybody who is known may do tells of nobody's objects.
                #expect(Self.harmless(route), "\(route.pattern)")
            case .resource, .path, .masters:
                #expect(code(.anonymous) == 401 && code(stranger) == 403, "\(route.pattern)")
            }
        }
        #expect(open == ["/livez", "/readyz"])
    }

    private static func harmless(_ route: Route) -> Bool {
        switch route.object {
        case .path:
            ["/healthz", "/version", "/api", "/apis", "/openapi", "/schemas"].contains(where: route.pattern.hasPrefix)
        case .resource(_, let name, _):
            // Explanations ask for each object that they tell of: ExplanationTests.
            name.hasPrefix("self") && name.hasSuffix("reviews") || ["plans", "explanations"].contains(name)
        }
    }

    @Test(arguments: [
        ("a=b", true), ("a==b", true), ("a!=b", false), ("a", true), ("!a", false), ("c", false), ("!c", true),
        ("a in (b, c)", true), ("a in (c)", false), ("a notin (b)", false), ("c notin (b)", true), ("c!=d", true),
        ("a=b,c", false), ("a=b,!c", true), (" a = b ", true), ("a in (b),d=", true), ("", true), ("a=b,", true),
    ])
    func labelSelectorsMatchAsInKubernetes(text: String, matches: Bool) throws {
        let selector = try Selector(labels: text, fields: nil, of: .of(.agent))
        let object = Selectable(namespace: "y", name: "x", labels: .strings(["a": "b", "d": ""]), fields: [])
        #expect(selector.matches(object) == matches)
    }

    @Test(arguments: ["a in b", "a in (b", "a (b)", "in (a)", "a within (b)", "a b", "(", ")", "a in ((b))"])
    func malformedSelectorsAreRefused(text: String) {
        #expect(throws: (any Error).self) { try Selector(labels: text, fields: nil, of: .of(.agent)) }
    }

    @Test func tokensOfPagesAreReadBackAndOthersRefused() {
        let place = Continuation(version: 12, place: .init(.agent, namespace: "ns", name: "some-name?>"))
            .token(.of(.agent))
        #expect(place.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
        let read = Continuation(place, .of(.agent))
        #expect(read?.version == 12 && read?.place.name == "some-name?>" && read?.place.namespace == "ns")
        #expect(Continuation(place, .of(.secret)) == nil && Continuation(place, .pods) == nil)
        for text in ["x", "AAAA", "", "===", "💥"] { #expect(Continuation(text, .of(.agent)) == nil, "\(text)") }
    }
}
