import Manifests
import Planner
import Values

/// Namespaces: they end after all that is in them.
struct NamespaceController: KindController {
    var traits: KindTraits { KindTraits(state: .tenant, ownStatus: ["phase"]) }

    func checkDeletion(of object: StoredObject) throws(Refusal) {
        if object.key.name == "default" { throw .forbidden(object.key, .defaultNamespace) }
    }

    func deletionRequested(
        of object: StoredObject, _ deletion: Request.Deletion, by principal: Principal, in work: inout Work
    ) {
        for inner in work.draft.contents(of: object.key.name) {
            work.markDeleted(inner, deletion.graceMs, by: principal)
        }
    }

    func mayGo(_ object: StoredObject, in work: Work) -> Bool { !work.draft.hasContents(object.key.name) }

    func tenant(of key: ObjectKey) -> String { key.name }
}
