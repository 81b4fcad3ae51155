import HTTP
import Testing

@testable import API

@Suite struct RoutesTests {
    @Test func literalsGoBeforeNamesAndOtherMethodsAreKnown() {
        let router = Router<Int>()
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

    /// Access is decided by rule, principal and action; nobody but the daemon's user and root passes any rule today.
    @Test func everyRouteHasARuleThatKeepsStrangersOut() throws {
        for route in Route.table {
            let action = route.action(try Parameters([], allowed: route.parameters))
            func allows(_ uid: UInt32) -> Bool {
                isAllowed(Principal(uid: uid, proof: .peerCredentials), action, route.rule, daemon: 1000)
            }
            #expect(allows(0) && allows(1000) && !allows(1001) && !allows(.max), "\(route.pattern)")
        }
    }

    @Test(arguments: [
        ("a=b", true), ("a==b", true), ("a!=b", false), ("a", true), ("!a", false), ("c", false), ("!c", true),
        ("a in (b, c)", true), ("a in (c)", false), ("a notin (b)", false), ("c notin (b)", true), ("c!=d", true),
        ("a=b,c", false), ("a=b,!c", true), (" a = b ", true), ("a in (b),d=", true), ("", true), ("a=b,", true),
    ])
    func labelSelectorsMatchAsInKubernetes(text: String, matches: Bool) throws {
        let selector = try Selector(labels: text, fields: nil)
        let labels = ["a": "b", "d": ""]
        #expect(selector.matches(name: "x", namespace: "y") { labels[$0] } == matches)
    }

    @Test(arguments: ["a in b", "a in (b", "a (b)", "in (a)", "a within (b)", "a b", "(", ")", "a in ((b))"])
    func malformedSelectorsAreRefused(text: String) {
        #expect(throws: (any Error).self) { try Selector(labels: text, fields: nil) }
    }

    @Test func tokensOfPagesAreReadBackAndOthersRefused() {
        let place = Continuation(version: 12, place: .init(.agent, namespace: "ns", name: "some-name?>")).token
        #expect(place.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
        let read = Continuation(place, .agent)
        #expect(read?.version == 12 && read?.place.name == "some-name?>" && read?.place.namespace == "ns")
        #expect(Continuation(place, .secret) == nil)
        for text in ["x", "AAAA", "", "===", "💥"] { #expect(Continuation(text, .agent) == nil, "\(text)") }
    }
}
