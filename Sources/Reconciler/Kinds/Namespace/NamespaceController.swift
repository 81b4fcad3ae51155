import Manifests
import Planner
import Values

/// Namespaces: they end after all that is in them.
struct NamespaceController: KindController {
    static let traits = KindTraits(state: .tenant, ownStatus: ["phase"])

    func checkDeletion(of object: StoredObject) throws(Refusal) {
        if object.key.name == "default" { throw .forbidden(object.key, .defaultNamespace) }
    }

    /// Whatever has made it end: with it ends all that is in it.
    func plan(_ object: StoredObject, in work: inout Work) {
        guard let deletion = object.deletion else { return }
        for inner in work.draft.contents(of: object.key.name) {
            work.markDeleted(inner, deletion.graceMs, by: .reconciler)
        }
    }

    func mayGo(_ object: StoredObject, in work: Work) -> Bool { !work.draft.hasContents(object.key.name) }

    func tenant(of key: ObjectKey) -> String { key.name }
}
