import GRPC
import Values

/// A Swagger 2.0 document as protobuf, which is what kubectl before 1.27 reads.
///
/// Source: google/gnostic, `openapiv2/OpenAPIv2.proto`. Bounds of numbers are left out: no client checks by them.
enum OpenAPIProtobuf {
    /// Its Content-Type: the `@` of the older name is read by no client's parser of media types.
    static let mediaType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

    static func bytes(_ document: Node) -> [UInt8] {
        var out = ProtoWriter()
        out.put(1, document["swagger"]?.string ?? "")
        out.put(2) {
            $0.put(1, document[path: "info", "title"]?.string ?? "")
            $0.put(2, document[path: "info", "version"]?.string ?? "")
        }
        out.put(8) { paths in
            for entry in entries(document["paths"]) {
                paths.put(2) { named in
                    named.put(1, entry.key)
                    named.put(2) { pathItem(entry.value, &$0) }
                }
            }
        }
        out.put(9) { named(1, document["definitions"], &$0, schema) }
        return out.bytes
    }

    private static func entries(_ node: Node?) -> [NodeMap.Entry] { node?.map?.entries ?? [] }

    /// A map as a list of pairs.
    private static func named(
        _ field: Int, _ node: Node?, _ out: inout ProtoWriter, _ write: (Node, inout ProtoWriter) -> Void
    ) {
        for entry in entries(node) {
            out.put(field) { pair in
                pair.put(1, entry.key)
                pair.put(2) { write(entry.value, &$0) }
            }
        }
    }

    /// Values of extensions, defaults and words are YAML, which JSON is.
    private static func yaml(_ node: Node, _ out: inout ProtoWriter) { out.put(2, JSONWriter.text(node) + "\n") }

    private static func extensions(_ field: Int, _ node: Node, _ out: inout ProtoWriter) {
        for entry in entries(node) where entry.key.hasPrefix("x-") {
            out.put(field) { pair in
                pair.put(1, entry.key)
                pair.put(2) { yaml(entry.value, &$0) }
            }
        }
    }

    private static func texts(_ field: Int, _ node: Node?, _ out: inout ProtoWriter) {
        for text in node?.list ?? [] { out.putAlways(field, Array((text.string ?? "").utf8)) }
    }

    // MARK: Paths

    private static func pathItem(_ node: Node, _ out: inout ProtoWriter) {
        for (field, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
            if let operation = node[method] { out.put(field) { self.operation(operation, &$0) } }
        }
        parameters(9, node["parameters"], &out)
    }

    private static func operation(_ node: Node, _ out: inout ProtoWriter) {
        out.put(3, node["description"]?.string ?? "")
        out.put(5, node["operationId"]?.string ?? "")
        texts(6, node["produces"], &out)
        texts(7, node["consumes"], &out)
        parameters(8, node["parameters"], &out)
        out.put(9) { responses in
            for entry in entries(node["responses"]) {
                responses.put(1) { pair in
                    pair.put(1, entry.key)
                    pair.put(2) { value in
                        value.put(1) { response in
                            response.put(1, entry.value["description"]?.string ?? "")
                            if let schema = entry.value["schema"] {
                                response.put(2) { item in item.put(1) { self.schema(schema, &$0) } }
                            }
                        }
                    }
                }
            }
        }
        extensions(13, node, &out)
    }

    private static func parameters(_ field: Int, _ list: Node?, _ out: inout ProtoWriter) {
        for parameter in list?.list ?? [] {
            out.put(field) { item in item.put(1) { self.parameter(parameter, &$0) } }
        }
    }

    private static func parameter(_ node: Node, _ out: inout ProtoWriter) {
        let (name, place) = (node["name"]?.string ?? "", node["in"]?.string ?? "")
        let (isRequired, text) = (node["required"]?.bool ?? false, node["description"]?.string ?? "")
        if place == "body" {
            return out.put(1) { body in
                body.put(2, name)
                body.put(3, place)
                body.put(4, isRequired)
                if let schema = node["schema"] { body.put(5) { self.schema(schema, &$0) } }
            }
        }
        let isQuery = place == "query"
        out.put(2) { other in
            other.put(isQuery ? 3 : 4) { value in
                value.put(1, isRequired)
                value.put(2, place)
                value.put(3, text)
                value.put(4, name)
                // A query may say that it can be empty, at the number where a path has its type.
                value.put(isQuery ? 6 : 5, node["type"]?.string ?? "")
                value.put(isQuery ? 7 : 6, node["format"]?.string ?? "")
            }
        }
    }

    // MARK: Schemas

    private static func schema(_ node: Node, _ out: inout ProtoWriter) {
        out.put(1, node["$ref"]?.string ?? "")
        out.put(2, node["format"]?.string ?? "")
        out.put(4, node["description"]?.string ?? "")
        if let value = node["default"] { out.put(5) { yaml(value, &$0) } }
        texts(19, node["required"], &out)
        for word in node["enum"]?.list ?? [] { out.put(20) { yaml(word, &$0) } }
        if let values = node["additionalProperties"] {
            out.put(21) { item in item.put(1) { schema(values, &$0) } }
        }
        if let type = node["type"]?.string { out.put(22) { $0.put(1, type) } }
        if let items = node["items"] { out.put(23) { item in item.put(1) { schema(items, &$0) } } }
        if let properties = node["properties"] { out.put(25) { named(1, properties, &$0, schema) } }
        extensions(31, node, &out)
    }
}
