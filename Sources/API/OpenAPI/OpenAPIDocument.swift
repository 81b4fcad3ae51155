import HTTP
import Manifests
import Resources
import Values

/// The OpenAPI of the routes: what `kubectl explain`, client-side validation and generators of clients read.
struct OpenAPIDocument {
    private let schemas: Schemas
    private let dialect: Schemas.Dialect

    init(_ dialect: Schemas.Dialect, drivers: DriverTable) {
        self.dialect = dialect
        schemas = Schemas(dialect, drivers: drivers)
    }

    /// The document of one version, or of all that is served.
    func node(_ version: Discovery.Version? = nil, program: String) -> Node {
        let info = Node.map([("title", "agentos-apply"), ("version", .text(program))])
        let definitions = Node.map(schemas.all(version).map { name, node -> (String, Node?) in (name, node) })
        let places = paths(version)
        switch dialect {
        case .v2:
            return .map([
                ("swagger", "2.0"), ("info", info), ("paths", places), ("definitions", definitions),
            ])
        case .v3:
            let components = Node.map([("schemas", definitions)])
            return .map([
                ("openapi", "3.0.0"), ("info", info), ("paths", places), ("components", components),
            ])
        }
    }

    private func paths(_ version: Discovery.Version?) -> Node {
        let routes = Route.table.filter { route in
            guard let version else { return true }
            guard let resource = route.resource else { return route.pattern == version.path }
            return resource.group == version.group && resource.version == version.name
        }
        let byPath = Dictionary(grouping: routes, by: \.pattern)
        return .map(byPath.keys.sorted().map { path -> (String, Node?) in (path, pathItem(path, byPath[path] ?? [])) })
    }

    private func pathItem(_ pattern: String, _ routes: [Route]) -> Node {
        var entries = routes.sorted { $0.method.rawValue < $1.method.rawValue }.map { route -> (String, Node?) in
            (route.method.rawValue.lowercased(), operation(route))
        }
        let names = Self.names(pattern).map(pathParameter)
        if !names.isEmpty { entries.append(("parameters", .list(names))) }
        return .map(entries)
    }

    /// The names in braces.
    static func names(_ pattern: String) -> [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    private func pathParameter(_ name: String) -> Node {
        parameter(name, in: "path", required: true, .text(bytesMax: 253), text: "The \(name) in the path.")
    }

    // MARK: Operations

    private func operation(_ route: Route) -> Node {
        var entries: [(String, Node?)] = [
            ("description", .text(description(route))), ("operationId", .text(Self.identifier(route))),
        ]
        let query = route.parameters.map { parameter in
            self.parameter(
                parameter.name, in: "query", required: false, parameter.form, text: Query.text(of: parameter.name))
        }
        let wanted = body(route)
        let isNeeded = Node(.bool(needsBody(route)))
        switch dialect {
        case .v2:
            var parameters = query
            if let wanted {
                parameters.insert(
                    .map([("in", "body"), ("name", "body"), ("required", isNeeded), ("schema", wanted)]), at: 0)
            }
            entries.append(("consumes", .list(consumes(route).map(Node.text))))
            // What is wrong is told as JSON everywhere.
            let forms = produces(route) + (answersText(route) ? ["application/json"] : [])
            entries.append(("produces", .list(forms.map(Node.text))))
            entries.append(("parameters", .list(parameters)))
        case .v3:
            entries.append(("parameters", .list(query)))
            if let wanted {
                let content = consumes(route).map { type -> (String, Node?) in (type, .map([("schema", wanted)])) }
                entries.append(("requestBody", .map([("required", isNeeded), ("content", .map(content))])))
            }
        }
        entries.append(("responses", responses(route)))
        if let resource = route.resource {
            entries += [
                ("x-kubernetes-action", .text(route.verbs.first?.rawValue ?? "")),
                ("x-kubernetes-group-version-kind", Schemas.kind(resource, "")),
            ]
        }
        return .map(entries)
    }

    private func description(_ route: Route) -> String {
        let verbs = route.verbs.map(\.rawValue).joined(separator: " or ")
        switch route.object {
        case .path(let path): return "\(verbs) \(path)"
        case .resource(_, let name, let subresource):
            return "\(verbs) \(subresource.isEmpty ? name : "\(name)/\(subresource)")"
        }
    }

    /// Unique, and always the same for the same route.
    private static func identifier(_ route: Route) -> String {
        let words = route.pattern.split { "/.{}-".contains($0) }.map { $0.prefix(1).uppercased() + $0.dropFirst() }
        return route.method.rawValue.lowercased() + words.joined()
    }

    private func consumes(_ route: Route) -> [String] {
        // kubectl sends a strategic merge wherever the document says that one is taken.
        if route.verbs.contains(.patch), let resource = route.resource {
            return WriteBody.Form.patches(of: resource).map(\.rawValue).sorted()
        }
        return body(route) == nil ? [] : ["application/json"]
    }

    private func produces(_ route: Route) -> [String] {
        switch route.object {
        case .resource(_, "eventlog", _): [EventFollower.Form.line.type, EventFollower.Form.sent.type]
        case .resource(_, _, "log"): ["text/plain"]
        case .path(let path) where ["/livez", "/healthz", "/readyz", "/metrics"].contains(path): ["text/plain"]
        case .resource, .path: ["application/json"]
        }
    }

    private func answersText(_ route: Route) -> Bool { produces(route) != ["application/json"] }

    private func body(_ route: Route) -> Node? {
        if route.verbs.contains(.patch) { return schemas.reference(Schemas.patch) }
        if route.verbs.contains(where: { [.delete, .deletecollection].contains($0) }) {
            return schemas.reference(Schemas.deleteOptions)
        }
        guard route.method != .get, route.verbs.contains(where: { [.create, .update].contains($0) }) else { return nil }
        guard let resource = route.resource, resource.isListed, isWhole(route) else {
            return .map([("type", "object")])
        }
        return schemas.reference(Schemas.name(resource))
    }

    private func needsBody(_ route: Route) -> Bool { route.verbs.contains(.patch) }

    /// It is about the objects themselves, and not about what lies below them.
    private func isWhole(_ route: Route) -> Bool {
        if case .resource(_, _, let subresource) = route.object { subresource.isEmpty } else { false }
    }

    // MARK: Answers

    private func responses(_ route: Route) -> Node {
        let answer = answersText(route) ? .map([("type", "string")]) : answer(route)
        // What makes something says so, and what only may make it has both.
        let mayCreate = route.verbs.contains(.create) || route.verbs.contains(.patch)
        return .map([
            ("200", response("OK", answer, produces(route))),
            ("201", mayCreate ? response("Created", answer, produces(route)) : nil),
            ("default", response("What is wrong.", schemas.reference(Schemas.status), ["application/json"])),
        ])
    }

    private func response(_ text: String, _ schema: Node, _ types: [String]) -> Node {
        switch dialect {
        case .v2: .map([("description", .text(text)), ("schema", schema)])
        case .v3:
            .map([
                ("description", .text(text)),
                ("content", .map(types.map { type -> (String, Node?) in (type, .map([("schema", schema)])) })),
            ])
        }
    }

    private func answer(_ route: Route) -> Node {
        let free = Node.map([("type", "object")])
        // A deletion answers with what is left of the object, or with a Status.
        guard let resource = route.resource, resource.isListed, isWhole(route), route.method != .delete else {
            return free
        }
        let name = Schemas.name(resource)
        return schemas.reference(route.verbs.contains(.list) ? name + "List" : name)
    }

    // MARK: Parameters

    private func parameter(
        _ name: String, in place: String, required: Bool, _ form: ParameterForm, text: String
    ) -> Node {
        let schema: [(String, Node?)] =
            switch form {
            case .integer(let range):
                [
                    ("type", "integer"), ("format", "int64"), ("minimum", .number(range.lowerBound)),
                    ("maximum", range.upperBound == .max ? nil : .number(range.upperBound)),
                ]
            case .flag: [("type", "boolean")]
            case .word(let words): [("type", "string"), ("enum", .list(words.map(Node.text)))]
            case .text(let bytesMax): [("type", "string"), ("maxLength", .number(bytesMax))]
            case .list(let countMax, let bytesMax):
                [
                    ("type", "array"), ("items", .map([("type", "string"), ("maxLength", .number(bytesMax))])),
                    ("maxItems", .number(countMax)), ("collectionFormat", dialect == .v2 ? "multi" : nil),
                ]
            }
        let head: [(String, Node?)] = [
            ("name", .text(name)), ("in", .text(place)), ("required", Node(.bool(required))),
            ("description", .text(text)),
        ]
        switch dialect {
        case .v2: return .map(head + schema)
        case .v3: return .map(head + [("schema", .map(schema))])
        }
    }
}
