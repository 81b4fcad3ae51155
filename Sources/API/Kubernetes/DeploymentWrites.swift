import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// PATCH of a Deployment: what `kubectl rollout pause`, `resume`, `restart` and `undo` write becomes a change of its
    /// agent. Everything else of it is made of the agent, and refused.
    func patchDeployment(_ call: Call) {
        do throws(Failure) {
            let form = try WriteBody.form(call, among: WriteBody.Form.patches(of: call.resource))
            let body = try WriteBody(call, as: form)
            guard case .patch(let patch) = try operation(call, form, body.node) else {
                preconditionFailure("a Deployment takes patches only")
            }
            try change(call, patch, triesLeft: Self.triesMax)
        } catch {
            call.fail(error)
        }
    }

    /// How often it is decided again because the agent was changed meanwhile.
    private static let triesMax = 5

    private func change(_ call: Call, _ patch: Request.Write.Patch, triesLeft: Int) throws(Failure) {
        let key = ObjectKey(.agent, namespace: call.namespace ?? "", name: call.name)
        let state = loop.engine.state
        guard let object = state.objects[key] else { throw .notFound(call) }
        let agent = state.render(object)
        switch try DeploymentChange(patch, to: DeploymentView.deployment(agent), key) {
        case .nothing: call.respond(200, DeploymentView.deployment(agent))
        case .fields(let fields): try submit(call, object, patch, fields, triesLeft)
        case .undo(let number):
            let uid = object.uid
            if object.agent?.effective.spec.paused == true {
                throw .badRequest("agent \"\(key.name)\" is paused: set spec.paused to false first", key: key)
            }
            try checkSource(object)
            loop.readBeside { store throws(StoreFailure) in
                try store.revisions(of: [uid])
            } _: { [self] result in
                do throws(Failure) {
                    guard case .success(let kept) = result else { throw .unavailable }
                    guard let revision = kept.first(where: { $0.number == number }) else {
                        throw .badRequest("revision \(number) of agent \"\(key.name)\" is not kept", key: key)
                    }
                    guard let now = loop.engine.state.objects[key], now.uid == uid else { throw .notFound(call) }
                    let fields = AgentSpec.undoing(now.content, to: revision.template, cause: revision.cause)
                    guard let fields else { return call.respond(200, call.shown(now, loop.engine.state)) }
                    try submit(call, now, patch, fields, triesLeft)
                } catch {
                    call.fail(error)
                }
            }
        }
    }

    /// What a Source declares is undone where it is declared.
    private func checkSource(_ object: StoredObject) throws(Failure) {
        let state = loop.engine.state
        guard let source = object.origin.flatMap({ state.keysByUID[$0.source] }).flatMap({ state.objects[$0] }),
            SourceSpec(source.content["spec"] ?? .emptyMap).corrects
        else { return }
        let message =
            "agent \"\(object.key.name)\" is declared by source \"\(source.key.name)\", whose next sync would take this back: "
            + "undo the change there, or suspend the source first"
        throw .badRequest(message, key: object.key)
    }

    /// Changes exactly the version of the agent that was looked at, or looks again.
    private func submit(
        _ call: Call, _ object: StoredObject, _ patch: Request.Write.Patch, _ fields: Node, _ triesLeft: Int
    ) throws(Failure) {
        let merge: MergePatch
        do throws(PatchProblem) { merge = try MergePatch(fields) } catch {
            throw Failure(.malformed(object.key, .patch(error)))
        }
        var write = try write(call, object.key, .patch(.merge(merge)), [])
        write.preconditions.uid = object.uid.text
        write.preconditions.resourceVersion = String(object.resourceVersion)
        let once = try call.once()
        withEarlierTemplates(write) { [self] write in
            loop.submit(actor: call.principal, trace: call.trace.id, once: once, .write(write)) { [self] answer in
                if case .failure(.conflict(_, .resourceVersion)) = answer, triesLeft > 1 {
                    do throws(Failure) { try change(call, patch, triesLeft: triesLeft - 1) } catch { call.fail(error) }
                    return
                }
                call.reply(answer, loop.engine.state)
            }
        }
    }
}

/// What a patch of a Deployment means for its agent.
enum DeploymentChange: Equatable {
    case nothing
    /// A merge patch of the agent.
    case fields(Node)
    /// Back to a revision.
    case undo(Int)

    init(_ patch: Request.Write.Patch, to document: Node, _ key: ObjectKey) throws(Failure) {
        let patched: Node
        do throws(PatchProblem) { patched = try patch.applied(to: document) } catch {
            throw Failure(.malformed(key, .patch(error)))
        }
        try Self.check(Self.rest(of: document), Self.rest(of: patched), key)
        if let number = ReplicaSetView.revision(ofTemplateIn: patched),
            number != ReplicaSetView.revision(ofTemplateIn: document)
        {
            guard patched[path: "spec", "paused"] == document[path: "spec", "paused"] else {
                throw Self.refusal(["spec.paused"], key)
            }
            self = .undo(number)
            return
        }
        guard Self.template(document) == Self.template(patched) else { throw Self.refusal(["spec.template"], key) }
        let isPaused = patched[path: "spec", "paused"]?.bool ?? false
        let paused = isPaused == (document[path: "spec", "paused"]?.bool ?? false) ? nil : Node(.bool(isPaused))
        let restart = patched[path: "spec", "template", "metadata", "annotations", Self.restartedAt]
        let cause = patched[path: "metadata", "annotations", AgentSpec.causeAnnotation]
        let isSameCause = cause == document[path: "metadata", "annotations", AgentSpec.causeAnnotation]
        let annotations = Node.map([
            (AgentSpec.restartAnnotation, restart),
            (AgentSpec.causeAnnotation, isSameCause ? nil : cause ?? Node(.null)),
        ])
        if paused == nil, annotations.map?.isEmpty == true {
            self = .nothing
            return
        }
        self = .fields(
            .map([
                ("metadata", annotations.map?.isEmpty == true ? nil : .map([("annotations", annotations)])),
                ("spec", paused.map { .map([("paused", $0)]) }),
            ]))
    }

    private static let restartedAt = "kubectl.kubernetes.io/restartedAt"

    /// A template without the annotation that asks for a restart.
    private static func template(_ document: Node) -> Node? {
        var template = document[path: "spec", "template"]
        var metadata = template?["metadata"]
        var annotations = metadata?["annotations"]
        annotations?[restartedAt] = nil
        metadata?["annotations"] = annotations?.map?.isEmpty == true ? nil : annotations
        template?["metadata"] = metadata
        return template
    }

    /// What nobody may change: all but the annotations, the template and the pause.
    private static func rest(of document: Node) -> Node {
        var rest = document
        var (metadata, spec) = (document["metadata"], document["spec"])
        metadata?["annotations"] = nil
        for name in ["template", "paused"] { spec?[name] = nil }
        (rest["metadata"], rest["spec"]) = (metadata, spec)
        return rest
    }

    private static func check(_ old: Node, _ new: Node, _ key: ObjectKey) throws(Failure) {
        let differing = Difference.all(from: old, to: new).map(\.path)
        if !differing.isEmpty { throw refusal(differing, key) }
    }

    private static func refusal(_ fields: [String], _ key: ObjectKey) -> Failure {
        let message =
            "a Deployment shows the agent \"\(key.name)\": of it only a pause, a restart and a way back to another revision "
            + "can be written; change the agent"
        return .invalid(key, fields.map { Refusal.Cause(message: message, field: $0) })
    }
}
