public import Manifests
public import Values

/// The schemas of OpenAPI, from the same descriptions that validate objects.
public struct Schemas {
    /// The form of the document that the schemas stand in.
    public enum Dialect: Sendable {
        /// Swagger 2.0
        case v2
        /// OpenAPI 3.0
        case v3

        /// Where a document keeps its schemas.
        var root: String {
            switch self {
            case .v2: "#/definitions/"
            case .v3: "#/components/schemas/"
            }
        }
    }

    let dialect: Dialect
    private let drivers: DriverTable

    public init(_ dialect: Dialect, drivers: DriverTable) {
        self.dialect = dialect
        self.drivers = drivers
    }

    /// The schemas that the resources of one version need, or those of all; by name, in the order of their names.
    public func all(_ version: Discovery.Version? = nil) -> [(String, Node)] {
        var found = Meta.schemas.map { (name: $0.name, node: object($0.fields, $0.text, Meta.extensions)) }
        for resource in Resource.all where resource.isListed {
            if let version, version.group != resource.group || version.name != resource.version { continue }
            found.append((Self.name(resource), schema(resource)))
            found.append((Self.name(resource) + "List", list(resource)))
            for subresource in resource.subresources where !found.contains(where: { $0.name == Self.name(subresource) })
            {
                guard Self.name(subresource) != Self.name(resource) else { continue }
                found.append(
                    (Self.name(subresource), free("What \(resource.name)/\(subresource.name) takes or gives.")))
            }
        }
        return found.sorted { $0.name < $1.name }.map { ($0.name, $0.node) }
    }

    // MARK: Names

    /// A reference to the schema of a name, in the form of the dialect.
    public func reference(_ name: String) -> Node { .map([("$ref", .text(dialect.root + name))]) }

    /// `dev.agentos.v1.Agent`, `io.k8s.api.core.v1.Pod`: as clients of Kubernetes name them.
    public static func name(_ resource: Resource) -> String {
        name(resource.group, resource.version, resource.kind)
    }

    /// The name of what lies below an object.
    public static func name(_ subresource: Resource.Subresource) -> String {
        name(subresource.group, subresource.version, subresource.kind)
    }

    private static func name(_ group: String, _ version: String, _ kind: String) -> String {
        let place =
            switch group {
            case "": "io.k8s.api.core"
            case "agentos.dev": "dev.agentos"
            case "metrics.k8s.io": "io.k8s.metrics.pkg.apis.metrics"
            default: "io.k8s.api.\(group.split(separator: ".").first ?? "")"
            }
        return "\(place).\(version).\(kind)"
    }

    public static let status = Meta.package + "Status"
    public static let patch = Meta.package + "Patch"
    public static let deleteOptions = Meta.package + "DeleteOptions"

    // MARK: Resources

    private func schema(_ resource: Resource) -> Node {
        var fields = resource.fields
        if fields.isEmpty {
            fields = [
                Field("kind", .string(.any), text: "The kind of the object."),
                Field("apiVersion", .string(.any), text: "Version of the schema of this kind."),
            ]
        }
        var node = object(fields, resource.text, [:])
        if fields.contains(where: { $0.name == "metadata" }), var properties = node["properties"] {
            properties["metadata"] = referred(
                Meta.package + "ObjectMeta", "Standard object metadata, as in Kubernetes.")
            node["properties"] = properties
        }
        // Others keep fields of their own there. Clients that read the older form refuse what has a description and more.
        if case .objects = resource.home, let status = fields.first(where: { $0.name == "status" }),
            case .object(let described) = status.shape, var properties = node["properties"]
        {
            switch dialect {
            case .v2: properties["status"] = free(status.text)
            case .v3:
                var shown = object(described, status.text, [:])
                shown["x-kubernetes-preserve-unknown-fields"] = true
                properties["status"] = shown
            }
            node["properties"] = properties
        }
        node["x-kubernetes-group-version-kind"] = [Self.kind(resource, "")]
        return node
    }

    private func list(_ resource: Resource) -> Node {
        .map([
            ("description", .text("A list of \(resource.kind).")), ("type", "object"), ("required", ["items"]),
            (
                "properties",
                .map([
                    ("apiVersion", text("Version of the schema of this list.")),
                    (
                        "items",
                        .map([
                            ("description", "What was found, in the order of namespace and name."), ("type", "array"),
                            ("items", reference(Self.name(resource))),
                        ])
                    ), ("kind", text("The kind of the list.")),
                    (
                        "metadata",
                        referred(Meta.package + "ListMeta", "The version that was read, and where it goes on.")
                    ),
                ])
            ), ("x-kubernetes-group-version-kind", [Self.kind(resource, "List")]),
        ])
    }

    /// The extension by which clients find what serves a kind.
    public static func kind(_ resource: Resource, _ suffix: String) -> Node {
        .map([
            ("group", .text(resource.group)), ("kind", .text(resource.kind + suffix)),
            ("version", .text(resource.version)),
        ])
    }

    // MARK: Shapes

    private func text(_ description: String) -> Node {
        .map([("description", .text(description)), ("type", "string")])
    }

    /// A schema elsewhere; beside a reference itself nothing may stand.
    private func referred(_ name: String, _ description: String) -> Node {
        switch dialect {
        case .v2: .map([("description", .text(description)), ("$ref", .text(dialect.root + name))])
        case .v3: .map([("description", .text(description)), ("allOf", [reference(name)])])
        }
    }

    private func free(_ description: String) -> Node {
        .map([("description", .text(description)), ("type", "object"), ("x-kubernetes-preserve-unknown-fields", true)])
    }

    private func object(_ fields: [Field], _ description: String, _ extensions: [String: [(String, Node?)]]) -> Node {
        let required = fields.filter { $0.required && !["apiVersion", "kind", "metadata"].contains($0.name) }
        let properties = fields.sorted { $0.name < $1.name }.map { field -> (String, Node?) in
            var node = schema(field.shape, field.text)
            if let fallback = field.fallback(among: drivers), !fallback.isEmptyMap { node["default"] = fallback }
            for (name, value) in extensions[field.name] ?? [] { node[name] = value }
            return (field.name, node)
        }
        return .map([
            ("description", .text(description)), ("type", "object"),
            ("properties", properties.isEmpty ? nil : .map(properties)),
            ("required", required.isEmpty ? nil : .list(required.map { .text($0.name) })),
        ])
    }

    private func schema(_ shape: Shape, _ description: String) -> Node {
        func typed(_ type: String, _ more: [(String, Node?)] = []) -> Node {
            .map([("description", .text(description)), ("type", .text(type))] + more)
        }
        switch shape {
        case .string(.label(let longest)): return typed("string", [("maxLength", .number(longest))])
        case .string, .driver, .quantity: return typed("string")
        case .integer(let range):
            return typed(
                "integer",
                [
                    ("format", "int64"), ("minimum", .number(range.lowerBound)),
                    ("maximum", range.upperBound == .max ? nil : .number(range.upperBound)),
                ])
        case .number(let range):
            return typed(
                "number",
                [
                    ("format", "double"), ("minimum", Node(.double(range.lowerBound))),
                    ("maximum", Node(.double(range.upperBound))),
                ])
        case .boolean: return typed("boolean")
        case .enumeration(let words): return typed("string", [("enum", .list(words.map(Node.text)))])
        case .list(let item, let longest, let nonEmpty):
            return typed(
                "array",
                [
                    ("items", schema(item, "One of them.")),
                    ("maxItems", longest < Int(Int32.max) ? .number(longest) : nil),
                    ("minItems", nonEmpty ? 1 : nil),
                ])
        case .strings: return typed("object", [("additionalProperties", .map([("type", "string")]))])
        case .object(let fields): return object(fields, description, [:])
        case .union(let fields):
            var node = object(fields, description, [:])
            node["minProperties"] = 1
            node["maxProperties"] = 1
            return node
        case .anything: return free(description)
        }
    }
}

extension Node {
    fileprivate var isEmptyMap: Bool { map?.isEmpty == true }
}
