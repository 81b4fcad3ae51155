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
        let (asked, representation) = (call.name, Representation(call))
        replicaSets(call, of: loop.engine.state.objects[key].map { [$0] } ?? []) { node in
            guard node[path: "metadata", "name"]?.string == asked else { return nil }
            return representation.single(Self.bytes(ofRevision: node, representation))
        } _: { found in
            if let bytes = found.first { call.respond(200, json: [bytes]) } else { call.fail(.notFound(call)) }
        }
    }

    func replicaSets(_ call: Call) {
        do throws(Failure) {
            if call.parameters.has(Query.watch) { throw .badRequest("watch: revisions are not watched") }
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector],
                of: call.resource)
            let agents = loop.engine.state.objects.values.filter { object in
                object.agent != nil && (call.namespace == nil || object.key.namespace == call.namespace)
            }
            let (representation, version) = (Representation(call), loop.published.resourceVersion)
            replicaSets(call, of: agents) { node in
                selector.matches(Selectable(node, fields: [])) ? Self.bytes(ofRevision: node, representation) : nil
            } _: { items in
                call.respond(
                    200,
                    json: [
                        representation.head(metadata: "\"resourceVersion\":\"\(version)\""),
                        Array(items.joined(separator: Array(",".utf8))),
                    ] + [Representation.listEnd])
            }
        } catch {
            call.fail(error)
        }
    }

    /// What is kept of agents, in the order of their names: read and rendered beside the loop, as the agents were when
    /// it was asked for.
    private func replicaSets(
        _ call: Call, of agents: [StoredObject], _ rendered: @escaping @Sendable (Node) -> [UInt8]?,
        _ done: @escaping ([[UInt8]]) -> Void
    ) {
        let state = loop.engine.state
        loop.readBeside { store throws(StoreFailure) in
            let agents = agents.sorted { $0.key < $1.key }
            var items: [[UInt8]] = []
            for start in stride(from: 0, to: agents.count, by: Self.agentsAtOnce) {
                let some = agents[start..<min(start + Self.agentsAtOnce, agents.count)]
                let shown = Dictionary(uniqueKeysWithValues: some.map { ($0.uid, state.render($0)) })
                for revision in try store.revisions(of: some.map(\.uid)) {
                    guard let agent = shown[revision.uid] else { continue }
                    if let bytes = rendered(ReplicaSetView.document(revision, of: agent)) { items.append(bytes) }
                }
            }
            return items
        } _: { result in
            guard case .success(let items) = result else { return call.fail(.unavailable) }
            done(items)
        }
    }

    /// Of how many agents the revisions are held at a time.
    private static let agentsAtOnce = 256

    private static func bytes(ofRevision node: Node, _ representation: Representation) -> [UInt8] {
        representation.bytes(Document(Selectable(node, fields: []), node: node)) { JSONWriter.bytes(node) }
    }
}
