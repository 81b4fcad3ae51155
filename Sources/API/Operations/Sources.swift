import HTTP
import Manifests
import Reconciler
import Resources
import Values

extension Server {
    /// Reads and applies a Source; answers with it when that is done.
    func sync(_ call: Call) {
        let key = call.key
        guard let object = loop.engine.state.objects[key], object.source != nil else {
            return call.fail(.notFound(key))
        }
        if object.content[path: "spec", "suspend"]?.bool == true {
            return call.fail(Failure(.conflict(key, .suspended)))
        }
        loop.refresh(object.uid, force: call.parameters.has(Query.force), actor: call.principal) { [self] in
            guard let object = loop.published[.source][key.namespace, key.name] else {
                return call.fail(.notFound(key))
            }
            call.respond(200, "application/json", [text(object)])
        }
    }

    /// What the next sync of a Source does: pairs of `live` and `merged`, one of them absent for what is made or deleted;
    /// and what it does not do.
    func preview(_ call: Call) {
        let key = call.key
        guard loop.engine.state.objects[key] != nil else { return call.fail(.notFound(key)) }
        guard let preview = loop.preview(key) else { return call.fail(Failure(.conflict(key, .notRead))) }
        let state = loop.engine.state
        func shown(_ object: StoredObject?) -> Node? {
            object.map { withoutValues(state.render($0), $0.key.kind) }
        }
        let items = preview.changes.map { Node.map([("live", shown($0.live)), ("merged", shown($0.merged))]) }
        let source = preview.source
        call.respond(
            200,
            .map([
                ("kind", "PreviewList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items)),
                ("errors", source.errors.isEmpty ? nil : .list(source.errors.map(Node.text))),
                ("driftedObjects", source.drifted.isEmpty ? nil : .list(source.drifted.map(Node.text))),
                ("pruneWaits", source.pruneWaits > 0 ? .number(source.pruneWaits) : nil),
            ]))
    }
}
