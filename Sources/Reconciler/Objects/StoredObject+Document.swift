import Manifests
import Planner
public import Values

/// The object as a document: what writes speak of, and what readers are shown of everybody's metadata.
extension StoredObject {
    /// `metadata.managedFields`.
    public var managedFields: Node {
        .list(
            managers.map { manager in
                .map([
                    ("manager", .text(manager.name)), ("operation", .text(manager.operation.rawValue)),
                    ("apiVersion", .text(key.kind.apiVersion)), ("time", .text(Timestamp.seconds(manager.timeMs))),
                    ("fieldsType", "FieldsV1"), ("fieldsV1", manager.fieldsV1),
                    ("subresource", manager.subresource == .none ? nil : .text(manager.subresource.rawValue)),
                ])
            })
    }

    /// What `metadata` holds beside the managers of fields.
    public var metadata: [(String, Node?)] {
        let declared = content["metadata"]
        return [
            ("name", .text(key.name)), ("namespace", key.kind.isNamespaced ? .text(key.namespace) : nil),
            ("uid", .text(uid.text)), ("resourceVersion", .text(String(resourceVersion))),
            ("generation", .number(generation)), ("creationTimestamp", .text(Timestamp.seconds(createdAtMs))),
            ("deletionTimestamp", (deletion?.atMs).map { .text(Timestamp.seconds($0)) }),
            ("deletionGracePeriodSeconds", (deletion?.graceMs).map { .number($0 / 1000) }),
            ("labels", declared?["labels"]), ("annotations", declared?["annotations"]),
            ("ownerReferences", declared?["ownerReferences"]), ("finalizers", declared?["finalizers"]),
        ]
    }

    /// What patches are applied to.
    func document(withManagers: Bool) -> Node {
        let managers: Node? = withManagers ? managedFields : nil
        var entries: [(String, Node?)] = [
            ("apiVersion", .text(key.kind.apiVersion)), ("kind", .text(key.kind.rawValue)),
            ("metadata", .map(metadata + [("managedFields", managers)])),
        ]
        for entry in content.map?.entries ?? [] where entry.key != "metadata" {
            entries.append((entry.key, entry.value))
        }
        return .map(entries)
    }

    /// The object as Kubernetes' kind Scale; nil when it has no replicas.
    public var scale: Node? {
        guard let agent else { return nil }
        let count = content[path: "spec", "replicas"] ?? .number(agent.effective.spec.replicas)
        let shown = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]
        return .map([
            ("kind", "Scale"), ("apiVersion", "autoscaling/v1"),
            ("metadata", .map(metadata.filter { shown.contains($0.0) })),
            ("spec", .map([("replicas", count)])),
            (
                "status",
                .map([
                    ("replicas", .number(agent.replicas.count { $0.phase.isLive })),
                    ("selector", .text("\(Self.agentLabel)=\(key.name)")),
                ])
            ),
        ])
    }

    /// The label by which all that belongs to an agent is selected.
    public static let agentLabel = "agentos.dev/agent"
}

/// What people may declare: the daemon's own fields are taken out.
func declaredPart(_ node: Node) -> Node {
    var metadata = Node.emptyMap
    for name in ["labels", "annotations", "ownerReferences", "finalizers"] {
        if let value = node[path: "metadata", name] { metadata[name] = value }
    }
    var result = node
    result["apiVersion"] = nil
    result["kind"] = nil
    result["status"] = nil
    result["metadata"] = metadata.map?.isEmpty == true ? nil : metadata
    return result
}

extension Node {
    /// What a content declares beside its metadata.
    var withoutMetadata: Node {
        var rest = self
        rest["metadata"] = nil
        rest["status"] = nil
        return rest
    }
}
