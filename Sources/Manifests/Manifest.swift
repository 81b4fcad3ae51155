public import Values

/// One declared object, valid by itself, with the place where it stands.
public struct Manifest: Sendable {
    public var kind: Kind
    public var namespace: String
    public var name: String
    /// As written, without defaults: what is sent to the daemon.
    public var applied: Node
    /// With defaults filled in.
    public var complete: Node
    public var file: String
    public var mark: Mark
}

/// Reads manifests: bytes to valid, defaulted objects, or all errors at once.
public enum ManifestReader {
    /// Reads every document of one text, YAML or JSON; lists are unpacked. A text without an object declares nothing.
    ///
    /// - Parameter namespace: given to objects that name none.
    public static func read(
        _ bytes: [UInt8], file: String, namespace: String = "default", drivers: DriverTable,
        diagnostics: inout Diagnostics
    ) -> [Manifest] {
        let documents = documents(bytes, file: file, diagnostics: &diagnostics)
        var manifests: [Manifest] = []
        for document in documents where !document.isNull {
            let validator = Validator(file: file, drivers: drivers)
            unpack(document, validator, namespace, into: &manifests, &diagnostics, depth: 0)
        }
        return manifests
    }

    /// The documents of one text, whether it is JSON or YAML. Keys `x-…` at the top of a YAML document hold what its
    /// aliases refer to, and declare nothing.
    public static func documents(_ bytes: [UInt8], file: String, diagnostics: inout Diagnostics) -> [Node] {
        if bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
            // Most JSON is also YAML; the JSON reader is stricter, faster and has no limit of libyaml's.
            var attempt = Diagnostics()
            if let node = JSONReader.read(bytes, file: file, diagnostics: &attempt) {
                diagnostics.add(attempt)
                return [node]
            }
        }
        return YAMLReader.read(bytes, file: file, diagnostics: &diagnostics).map { document in
            guard let map = document.map, map.entries.contains(where: { $0.key.hasPrefix("x-") }) else {
                return document
            }
            return Node(.map(NodeMap(map.entries.filter { !$0.key.hasPrefix("x-") })), mark: document.mark)
        }
    }

    /// - Parameter empty: a validator without diagnostics.
    private static func unpack(
        _ node: Node, _ empty: Validator, _ namespace: String, into manifests: inout [Manifest],
        _ diagnostics: inout Diagnostics, depth: Int
    ) {
        if node["kind"]?.string == "List", depth == 0 {
            guard let items = node["items"]?.list else {
                let message =
                    node["items"].map { "expected a list, found \($0.kindOfValue)" } ?? "required field is missing"
                let mark = node["items"]?.mark ?? node.mark
                diagnostics.add(Diagnostic(file: empty.file, mark: mark, path: "items", message: message))
                return
            }
            for item in items {
                unpack(item, empty, namespace, into: &manifests, &diagnostics, depth: 1)
            }
            return
        }
        var validator = empty
        if let kind = kind(of: node, &validator) {
            if let manifest = manifest(node, kind, namespace, &validator) { manifests.append(manifest) }
        }
        diagnostics.add(validator.diagnostics)
    }

    private static func kind(of node: Node, _ validator: inout Validator) -> Kind? {
        guard node.map != nil else {
            validator.report(
                node.mark, "", "expected a map with apiVersion, kind and metadata, found \(node.kindOfValue)")
            return nil
        }
        let names = Kind.allCases.map(\.rawValue) + ["List"]
        guard let word = node["kind"]?.string else {
            validator.report(node.mark, "kind", "required field is missing: expected \(names.joined(separator: ", "))")
            return nil
        }
        guard let kind = Kind(rawValue: word) else {
            validator.report(
                node["kind"]?.mark ?? node.mark, "kind",
                "unknown kind \"\(word)\": expected \(names.joined(separator: ", "))\(Suggestion.text(for: word, among: names))"
            )
            return nil
        }
        return kind
    }

    private static func manifest(_ node: Node, _ kind: Kind, _ namespace: String, _ validator: inout Validator)
        -> Manifest?
    {
        let complete = validator.check(node, kind: kind)
        if validator.diagnostics.isEmpty { validator.checkRules(complete, kind: kind) }
        guard validator.diagnostics.isEmpty, let name = complete[path: "metadata", "name"]?.string else { return nil }
        let ownNamespace = complete[path: "metadata", "namespace"]?.string
        return Manifest(
            kind: kind, namespace: kind.isNamespaced ? ownNamespace ?? namespace : "", name: name, applied: node,
            complete: complete, file: validator.file, mark: node.mark)
    }
}
