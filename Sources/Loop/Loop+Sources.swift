import Manifests
public import Planner
public import Reconciler
import Values

extension Loop {
    /// Reads a Source now; `done` is called when what was found is committed, or when it takes too long.
    public func refresh(_ uid: UID, force: Bool, actor: Principal, done: @escaping () -> Void) {
        guard let sources, watched[uid] != nil else { return done() }
        expect(
            ms: Limits.refreshMs,
            take: { _ in
                done()
                return true
            }, late: done,
            begin: { number in
                sources.refresh(uid, Refresh(number: number, principal: actor, force: force))
            })
    }

    /// What the next sync of a Source does; nil while nothing was read yet.
    public func preview(_ key: ObjectKey) -> Preview? { engine.preview(key, clock.now()) }

    /// Tells the reader which Sources there are, and what has changed of them.
    func watchSources() {
        guard let sources else { return }
        var requests: [UID: SourceRequest] = [:]
        for object in engine.state.list(.source, namespace: nil) where object.deletion == nil {
            let spec = SourceSpec(object.content["spec"] ?? .emptyMap)
            if spec.suspend { continue }
            let secret = spec.git?.secret.flatMap {
                engine.state.objects[ObjectKey(.secret, namespace: object.key.namespace, name: $0)]
            }
            let credentials = (secret?.content["data"]?.stringMap ?? [:]).mapValues { Base64.decode($0) ?? [] }
            requests[object.uid] = SourceRequest(
                uid: object.uid, key: object.key, spec: spec, credentials: credentials)
        }
        for uid in watched.keys where requests[uid] == nil { sources.forget(uid) }
        for (uid, request) in requests where watched[uid] != request { sources.watch(request) }
        watched = requests
    }
}
