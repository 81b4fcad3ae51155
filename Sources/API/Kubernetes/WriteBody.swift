import HTTP
import Manifests
import Reconciler
import Resources
import Values

/// The body of a request that writes: one document, in one of the forms that the request may have.
struct WriteBody {
    let node: Node
    /// Fields that stood twice; the last value of each was taken.
    let duplicates: [Refusal.Cause]

    /// How a body is written.
    enum Form: String, CaseIterable {
        case json = "application/json"
        case yaml = "application/yaml"
        case protobuf = "application/vnd.kubernetes.protobuf"
        case jsonPatch = "application/json-patch+json"
        case mergePatch = "application/merge-patch+json"
        case strategicPatch = "application/strategic-merge-patch+json"
        case apply = "application/apply-patch+yaml"

        static let objects: [Form] = [.json, .yaml, .protobuf]

        /// The forms of patches that a resource takes: only Kubernetes' own kinds have a strategic merge, and the steps of
        /// a JSON patch name fields as they are stored.
        static func patches(of resource: Resource) -> [Form] {
            if resource.kind == "Deployment" { return [.jsonPatch, .mergePatch, .strategicPatch] }
            let isStored = if case .objects = resource.home { true } else { false }
            return (isStored ? [.jsonPatch] : []) + [.mergePatch]
                + (resource.storedKind?.isOfKubernetes == true ? [.strategicPatch] : []) + [.apply]
        }
    }

    /// The form that a request names; objects may come without one, and are YAML then, as JSON is.
    static func form(_ call: Call, among forms: [Form]) throws(Failure) -> Form {
        let type = call.contentType
        if type.isEmpty, forms.contains(.yaml) { return .yaml }
        if let form = Form(rawValue: type), forms.contains(form) { return form }
        let names = forms.map(\.rawValue).joined(separator: ", ")
        throw Failure(
            code: 415, reason: "UnsupportedMediaType",
            message: "the body of the request was in an unknown format - accepted media types include: \(names)")
    }

    init(_ call: Call, as form: Form) throws(Failure) {
        let bytes = call.exchange.body
        if form == .protobuf {
            node = try ProtobufBody.read(bytes, call.kind.rawValue)
            duplicates = []
            return
        }
        var diagnostics = Diagnostics()
        var doubles: [Diagnostic] = []
        if let node = JSONReader.read(bytes, file: "body", diagnostics: &diagnostics, duplicates: &doubles) {
            self.node = node
            duplicates = doubles.map { Refusal.Cause(reason: .duplicate, message: $0.message, field: $0.path) }
            return
        }
        // What names JSON is told what is wrong with its JSON.
        switch form {
        case .json, .jsonPatch, .mergePatch, .strategicPatch:
            throw .badRequest(diagnostics.kept.first?.description ?? "the body is no JSON")
        case .yaml, .apply, .protobuf: break
        }
        diagnostics = Diagnostics()
        let documents = ManifestReader.documents(bytes, file: "body", diagnostics: &diagnostics)
        guard let node = documents.first, diagnostics.isEmpty else {
            throw .badRequest(diagnostics.kept.first?.description ?? "the body is empty")
        }
        if documents.count > 1 { throw .badRequest("the body has \(documents.count) documents; one is expected") }
        self.node = node
        duplicates = []
    }
}

extension Call {
    /// The form of the body, as the head names it, without its parameters; empty when it names none.
    fileprivate var contentType: String {
        exchange.header("Content-Type")?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
    }

    /// The body as one object that is not kept: JSON or, of Kubernetes' own kinds, protobuf. Nil: there is no body.
    func bodyObject(_ kind: String) throws(Failure) -> Node? {
        let bytes = exchange.body
        if bytes.isEmpty { return nil }
        if contentType == WriteBody.Form.protobuf.rawValue { return try ProtobufBody.read(bytes, kind) }
        var diagnostics = Diagnostics()
        guard let node = JSONReader.read(bytes, file: "body", diagnostics: &diagnostics), diagnostics.isEmpty,
            node.map != nil
        else { throw .badRequest(diagnostics.kept.first?.description ?? "the body is no object of kind \(kind)") }
        return node
    }
}

extension Kind {
    /// One of Kubernetes' own kinds: its clients know how lists of it are merged.
    var isOfKubernetes: Bool { group != "agentos.dev" }
}
