import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    func get(_ call: Call) {
        guard let (document, object) = find(call) else { return call.fail(.notFound(call)) }
        let representation = Representation(call)
        call.respond(200, json: [representation.single(bytes(document, of: object, representation))])
    }

    /// The whole object, with the values of a Secret.
    func text(_ object: PublishedObject) -> [UInt8] {
        object.text(loop.engine.state) { [loop] in JSONWriter.bytes(loop.engine.state.render($0)) }
    }

    /// The number of an object's replicas, as Kubernetes' kind Scale.
    func scale(_ call: Call) {
        guard let scale = loop.engine.state.objects[call.key]?.scale else { return call.fail(.notFound(call.key)) }
        call.respond(200, scale)
    }
}

extension Call {
    /// The answer holds whole objects, and so the values of Secrets.
    var showsValues: Bool {
        guard case .resource(_, _, "") = action.object else { return false }
        switch action.verb {
        case .get, .list, .watch: return Representation(self).holdsObjects
        case .create, .update, .patch, .delete, .deletecollection: return false
        }
    }
}

/// A Secret without its values, for those who may not see them.
func withoutValues(_ node: Node, _ kind: Kind) -> Node {
    guard kind.traits.hidesData else { return node }
    var node = node
    node["data"] = nil
    return node
}
