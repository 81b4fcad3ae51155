import Manifests
import Planner
import Values

/// An object that another belongs to, as `metadata.ownerReferences` names it.
struct OwnerReference: Sendable, Equatable {
    let apiVersion: String
    let kind: String
    let name: String
    let uid: UID?
    let isController: Bool
    /// A deletion of the owner in the foreground waits for the object.
    let blocksDeletion: Bool

    init(_ node: Node) {
        apiVersion = node["apiVersion"]?.string ?? ""
        kind = node["kind"]?.string ?? ""
        name = node["name"]?.string ?? ""
        uid = node["uid"]?.string.flatMap { UID($0) }
        isController = node["controller"]?.bool ?? false
        blocksDeletion = node["blockOwnerDeletion"]?.bool ?? false
    }

    /// The owner of an object; nil for a kind that lives elsewhere.
    func key(for object: ObjectKey) -> ObjectKey? {
        guard let kind = Kind(rawValue: kind), kind.apiVersion == apiVersion else { return nil }
        return ObjectKey(kind, namespace: kind.isNamespaced ? object.namespace : "", name: name)
    }
}

extension StoredObject {
    var owners: [OwnerReference] {
        content[path: "metadata", "ownerReferences"]?.list?.map(OwnerReference.init) ?? []
    }
}
