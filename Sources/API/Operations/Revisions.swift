import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// `GET …/agents/NAME/revisions`: what is kept of them, newest first.
    func revisions(_ call: Call) {
        guard let uid = loop.engine.state.objects[call.key]?.uid else { return call.fail(.notFound(call.key)) }
        loop.readBeside { store throws(StoreFailure) in
            try store.revisions(of: [uid])
        } _: { result in
            guard case .success(let revisions) = result else { return call.fail(.unavailable) }
            call.respond(200, RevisionDocument.list(revisions))
        }
    }

    // MARK: As ReplicaSets

    func replicaSet(_ call: Call) {
        guard let name = ReplicaSetView.agent(ofReplicaSet: call.name) else { return call.fail(.notFound(call)) }
        let key = ObjectKey(.agent, namespace: call.namespace ?? "", name: name)
        let agents = loop.engine.state.objects[key].map { [$0] } ?? []
        replicaSets(call, of: agents) { [self] documents in
            guard let node = documents.first(where: { $0[path: "metadata", "name"]?.string == call.name }) else {
                return call.fail(.notFound(call))
            }
            let representation = Representation(call)
            call.respond(200, json: [representation.single(bytes(ofRevision: node, representation))])
        }
    }

    func replicaSets(_ call: Call) {
        do throws(Failure) {
            if call.parameters.has(Query.watch) { throw .badRequest("watch: revisions are not watched") }
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector],
                of: call.resource)
            let state = loop.engine.state
            let agents = state.objects.values.filter { object in
                object.agent != nil && (call.namespace == nil || object.key.namespace == call.namespace)
            }.sorted { $0.key < $1.key }
            replicaSets(call, of: agents) { [self] documents in
                let representation = Representation(call)
                let items = documents.filter { selector.matches(Selectable($0, fields: [])) }.map {
                    bytes(ofRevision: $0, representation)
                }
                let version = "\"resourceVersion\":\"\(loop.published.resourceVersion)\""
                call.respond(
                    200,
                    json: [representation.head(metadata: version), Array(items.joined(separator: Array(",".utf8)))]
                        + [Representation.listEnd])
            }
        } catch {
            call.fail(error)
        }
    }

    /// What is kept of agents, as documents; agents that are gone meanwhile have none.
    private func replicaSets(_ call: Call, of agents: [StoredObject], _ done: @escaping ([Node]) -> Void) {
        let uids = agents.map(\.uid)
        let keys = Dictionary(agents.map { ($0.uid, $0.key) }, uniquingKeysWith: { first, _ in first })
        loop.readBeside { store throws(StoreFailure) in
            try store.revisions(of: uids)
        } _: { [loop] result in
            guard case .success(let revisions) = result else { return call.fail(.unavailable) }
            let state = loop.engine.state
            var shown: [UID: Node] = [:]
            for (uid, key) in keys {
                if let object = state.objects[key], object.uid == uid { shown[uid] = state.render(object) }
            }
            done(
                revisions.compactMap { revision in shown[revision.uid].map { ReplicaSetView.document(revision, of: $0) }
                })
        }
    }

    private func bytes(ofRevision node: Node, _ representation: Representation) -> [UInt8] {
        representation.bytes(Document(Selectable(node, fields: []), node: node)) { JSONWriter.bytes(node) }
    }
}
