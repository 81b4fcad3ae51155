import Manifests
import Planner
import Values

/// What a write makes of the declared content of one object, and of who owns its fields: a pure candidate.
///
/// Everything is decided from the write and the object as it is; nothing of other objects is asked.
struct WrittenContent {
    /// Not checked yet, and without the defaults of new fields.
    private(set) var node = Node.emptyMap
    /// Before fields that the write changes change hands; with apply, after it.
    private(set) var managers: [FieldManager]
    /// Fields that were passed over.
    private(set) var warnings: [String] = []

    private let write: Request.Write
    private let live: StoredObject?
    private let drivers: DriverTable
    private let nowMs: Int64
    private var key: ObjectKey { write.key }

    init(
        _ write: Request.Write, onto live: StoredObject?, drivers: DriverTable, nowMs: Int64
    ) throws(Refusal) {
        self.write = write
        self.live = live
        self.drivers = drivers
        self.nowMs = nowMs
        managers = live?.managers ?? []
        switch write.operation {
        case .apply(let fields, let force): try apply(fields, force: force)
        case .create(let body), .update(let body): try take(body)
        case .patch(let patch):
            guard let live else { throw .notFound(write.key) }
            let document = try document(of: live, patch)
            let patched: Node
            do throws(PatchProblem) {
                patched = try patch.applied(to: document)
            } catch {
                throw error.isMalformed ? .malformed(write.key, .patch(error)) : .unfitting(write.key, error)
            }
            try take(patched)
        }
    }

    private func document(of live: StoredObject, _ patch: Request.Write.Patch) throws(Refusal) -> Node {
        switch write.subresource {
        case .none, .status: return live.document(withManagers: patch.readsManagers)
        case .scale:
            guard let scale = live.scale else { throw .malformed(key, .subresource(.scale)) }
            return scale
        }
    }

    // MARK: A whole document

    /// Takes an object as it is to be.
    private mutating func take(_ document: Node) throws(Refusal) {
        guard document.map != nil else {
            throw .invalid(key, [Refusal.Cause(message: "expected a map, found \(document.kindOfValue)", field: "")])
        }
        try checkIdentity(document)
        managers = try managers(in: document)
        switch write.subresource {
        case .none:
            node = try declared(document)
            node["status"] = live?.content["status"]
        case .status, .scale: node = try onto(live?.content ?? .emptyMap, part(of: document))
        }
    }

    /// The content with the part in it that the subresource is.
    private func onto(_ content: Node, _ part: Node) throws(Refusal) -> Node {
        var content = content
        switch write.subresource {
        case .none: content = part
        case .status: content["status"] = part["status"]
        case .scale:
            var spec = content["spec"] ?? .emptyMap
            spec["replicas"] = part[path: "spec", "replicas"]
            content["spec"] = spec
        }
        return content
    }

    /// What a document says of the part that the subresource is.
    private func part(of document: Node) throws(Refusal) -> Node {
        switch write.subresource {
        case .none: return document
        case .status:
            guard key.kind.hasStatus else { throw .malformed(key, .subresource(.status)) }
            let status = try ForeignStatus.part(of: document["status"], key)
            return .map([("status", status)])
        case .scale:
            guard key.kind.traits.state == .replicas else { throw .malformed(key, .subresource(.scale)) }
            let count = document[path: "spec", "replicas"].flatMap { $0.isNull ? nil : $0 }
            // Kubernetes' clients leave a zero out of a whole document; an apply says what it wants.
            if count == nil, case .apply = write.operation {
                let cause = Refusal.Cause(
                    reason: .required, message: "required field is missing", field: "spec.replicas")
                throw .invalid(key, [cause])
            }
            return .map([("spec", .map([("replicas", count ?? 0)]))])
        }
    }

    // MARK: Apply

    private mutating func apply(_ fields: Node, force: Bool) throws(Refusal) {
        guard fields.map != nil else {
            throw .invalid(key, [Refusal.Cause(message: "expected a map, found \(fields.kindOfValue)", field: "")])
        }
        // What a Source declares is what stands in its files, whatever version was shown when they were written.
        if write.origin == nil { try checkIdentity(fields) }
        let applied = write.subresource == .none ? try declared(fields) : try part(of: fields)
        do throws(ApplyConflict) {
            (node, managers) = try applyFields(
                applied, by: write.manager, to: write.subresource, force: force, onto: live?.content ?? .emptyMap,
                managers: managers, succession: succession, nowMs: nowMs)
        } catch {
            throw .conflict(key, .managers(error.owners))
        }
    }

    /// A Source that takes an object up follows those that had it before.
    private var succession: Succession {
        guard let origin = write.origin, let live, live.origin?.source != origin.source else { return .none }
        return .ofSource
    }

    // MARK: Identity and version

    /// The document is about this object, and was made from this version of it.
    private func checkIdentity(_ document: Node) throws(Refusal) {
        func check(_ field: String, _ found: Node?, _ expected: String) throws(Refusal) {
            guard let found, !found.isNull, found.string != expected, found.string != "" else { return }
            let text = found.string ?? found.kindOfValue
            throw .malformed(key, .identity(field: field, found: String(text.prefix(64)), expected: expected))
        }
        let metadata = document["metadata"]
        let isScale = write.subresource == .scale
        try check("API version", document["apiVersion"], isScale ? "autoscaling/v1" : key.kind.apiVersion)
        try check("kind", document["kind"], isScale ? "Scale" : key.kind.rawValue)
        try check("name", metadata?["name"], key.name)
        if key.kind.isNamespaced { try check("namespace", metadata?["namespace"], key.namespace) }
        if let live, let uid = metadata?["uid"]?.string, !uid.isEmpty, uid != live.uid.text {
            throw .conflict(key, .uid(expected: String(uid.prefix(64)), found: live.uid))
        }
        guard let version = metadata?["resourceVersion"]?.string, !version.isEmpty, version != "0" else { return }
        if case .create = write.operation { throw .malformed(key, .versionOfNew) }
        if version != live.map({ String($0.resourceVersion) }) { throw .conflict(key, .modified) }
    }

    // MARK: Managers

    /// Who owns which field, as the document says; an empty list lets everybody go.
    private func managers(in document: Node) throws(Refusal) -> [FieldManager] {
        guard let live else { return [] }
        guard let node = document[path: "metadata", "managedFields"], !node.isNull else { return live.managers }
        guard let items = node.list else { throw .malformed(key, .managedFields) }
        if items.allSatisfy({ $0.map?.isEmpty == true }) { return [] }
        var managers: [FieldManager] = []
        for item in items {
            guard var manager = FieldManager(item, timeMs: nowMs) else { throw .malformed(key, .managedFields) }
            // The time is shown in seconds; what was only shown and sent back is as it was.
            if let same = live.managers.first(where: { $0.isSame(manager) && $0.fields == manager.fields }) {
                manager.timeMs = same.timeMs
            }
            if let index = managers.firstIndex(where: { $0.isSame(manager) }) {
                managers[index].fields.formUnion(manager.fields)
            } else {
                managers.append(manager)
            }
            if managers.count > Limits.fieldManagersMax { throw .forbidden(key, .tooManyManagers) }
        }
        return managers
    }

    // MARK: Fields

    /// What a document declares, in the spelling in which it is stored.
    private mutating func declared(_ document: Node) throws(Refusal) -> Node {
        var validator = Validator(file: "", drivers: drivers)
        validator.collectsUnknown = true
        var result = declaredPart(validator.canonical(document, kind: key.kind))
        try passOver(validator.unknown)
        if !validator.diagnostics.isEmpty { throw .invalid(key, Refusal.Cause.all(validator.diagnostics)) }
        result = key.kind.controller.stored(result)
        if result["dataFrom"] != nil {
            let message = "values can be taken from files and variables only in the directory of a Source"
            throw .invalid(key, [Refusal.Cause(message: message, field: "dataFrom")])
        }
        return result
    }

    private mutating func passOver(_ unknown: [Diagnostic]) throws(Refusal) {
        let causes = unknown.map { Refusal.Cause(message: $0.message, field: $0.path) } + write.duplicates
        if causes.isEmpty { return }
        switch write.validation {
        case .strict: throw .malformed(key, .fields(causes))
        case .warn:
            warnings += causes.map { $0.reason == .duplicate ? $0.message : "unknown field \"\($0.field)\"" }
        case .ignore: break
        }
    }
}

extension Refusal.Cause {
    static func all(_ diagnostics: Diagnostics) -> [Refusal.Cause] {
        diagnostics.kept.map { Refusal.Cause(message: $0.message, field: $0.path) }
    }
}
