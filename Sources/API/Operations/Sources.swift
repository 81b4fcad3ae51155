import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    /// Reads and applies a Source; answers with it when that is done.
    func sync(_ call: Call) {
        let key = call.key
        guard let object = loop.engine.state.objects[key], object.source != nil else {
            return call.fail(.notFound(key))
        }
        if object.content[path: "spec", "suspend"]?.bool == true {
            let message = "source \"\(key.name)\" is suspended; set spec.suspend to false first"
            return call.fail(Failure(code: 409, reason: "Conflict", message: message, key: key))
        }
        loop.refresh(object.uid, force: call.parameters.has(Query.force), actor: call.principal.actor) { [self] in
            guard let object = loop.published[.source][key.namespace, key.name] else {
                return call.fail(.notFound(key))
            }
            call.respond(200, "application/json", [text(object)])
        }
    }

    /// What the next sync of a Source would change: pairs of `live` and `merged`, one of them absent for what is made
    /// or deleted.
    func preview(_ call: Call) {
        let key = call.key
        guard loop.engine.state.objects[key] != nil else { return call.fail(.notFound(key)) }
        guard let (changed, pruned) = loop.engine.preview(key) else {
            let message = "source \"\(key.name)\" was not read yet"
            return call.fail(Failure(code: 409, reason: "Conflict", message: message, key: key))
        }
        let items = changed.map { item in
            let kind = item.merged["kind"]?.string.flatMap(Kind.init) ?? .agent
            return Node.map([
                ("live", item.live.map { hidingSecrets($0, kind) }), ("merged", hidingSecrets(item.merged, kind)),
            ])
        }
        let gone = pruned.map { Node.map([("live", hidingSecrets(loop.engine.render($0), $0.key.kind))]) }
        call.respond(
            200, .map([("kind", "PreviewList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items + gone))]))
    }
}
