public import Values

/// JSON Schema (draft 2020-12) from the descriptions of the kinds, for editors.
public enum JSONSchema {
    /// The schema of one kind, or of any known object, for agents of these drivers.
    public static func node(for kind: Kind?, drivers: DriverTable) -> Node {
        let id: [(String, Node?)] = [("$schema", "https://json-schema.org/draft/2020-12/schema")]
        if let kind { return .map(id + entries(of: schema(.object(kind.fields), drivers))) }
        return .map(id + [("anyOf", .list(Kind.allCases.map { schema(.object($0.fields), drivers) }))])
    }

    private static func entries(of node: Node) -> [(String, Node?)] {
        (node.map?.entries ?? []).map { ($0.key, $0.value) }
    }

    private static func schema(_ shape: Shape, _ drivers: DriverTable) -> Node {
        switch shape {
        case .string(let rule): return string(rule)
        case .integer(let range):
            return .map([
                ("type", "integer"), ("minimum", .number(range.lowerBound)), ("maximum", .number(range.upperBound)),
            ])
        case .number(let range):
            return .map([
                ("type", "number"), ("minimum", Node(.double(range.lowerBound))),
                ("maximum", Node(.double(range.upperBound))),
            ])
        case .boolean: return .map([("type", "boolean")])
        case .quantity: return .map([("type", ["string", "number"])])
        case .driver: return schema(.enumeration(drivers.names), drivers)
        case .enumeration(let words): return .map([("type", "string"), ("enum", .list(words.map(Node.text)))])
        case .list(let item, let longest, let nonEmpty):
            return .map([
                ("type", "array"), ("items", schema(item, drivers)), ("maxItems", .number(longest)),
                ("minItems", nonEmpty ? 1 : nil),
            ])
        case .strings(_, let values): return .map([("type", "object"), ("additionalProperties", string(values))])
        case .object(let fields): return object(fields, drivers)
        case .union(let fields):
            var node = object(fields, drivers)
            node["minProperties"] = 1
            node["maxProperties"] = 1
            return node
        case .anything: return .map([])
        }
    }

    private static func string(_ rule: StringRule) -> Node {
        switch rule {
        case .label(let longest):
            .map([("type", "string"), ("pattern", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), ("maxLength", .number(longest))])
        case .nonEmpty: .map([("type", "string"), ("minLength", 1)])
        case .absolutePath: .map([("type", "string"), ("pattern", "^/")])
        case .any, .subdomain, .labelKey, .labelValue, .environmentName, .configKey, .signal, .base64, .headerName,
            .line, .duration, .gitURL, .pathPart:
            .map([("type", "string")])
        }
    }

    private static func object(_ fields: [Field], _ drivers: DriverTable) -> Node {
        .map([
            ("type", "object"),
            (
                "properties",
                .map(
                    fields.map { field in
                        var node = schema(field.shape, drivers)
                        node["description"] = .text(field.text)
                        if let fallback = field.fallback(among: drivers) { node["default"] = fallback }
                        return (field.name, node)
                    })
            ),
            (
                "required",
                fields.contains(where: \.required) ? .list(fields.filter(\.required).map { .text($0.name) }) : nil
            ),
            ("additionalProperties", false),
        ])
    }
}
