import HTTP
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// Runs a command beside a replica: `…/agents/NAME/exec?ordinal=0&command=…`, or with these in a body, and
    /// `…/pods/NAME-0/exec?command=…` as kubectl has it.
    ///
    /// The connection leaves HTTP for one of the protocols of Kubernetes' streams. One that is closed before the end
    /// ends the command.
    func execute(_ call: Call) {
        do throws(Failure) {
            let replica = try ReplicaName(call)
            let wanted = try CommandRequest(call)
            let ordinal = wanted.ordinal ?? replica.ordinal
            let face = try CommandFace(call)
            loop.submit(
                actor: call.principal, trace: call.trace.id,
                .execute(replica.agent, ordinal: ordinal, command: wanted.command)
            ) { [self] answer in
                guard case .execution(let run, let driver) = answer else {
                    return call.reply(answer, loop.engine.state)
                }
                let execution = Execution(
                    run: run, command: wanted.command, timeoutMs: wanted.timeoutMs,
                    isTerminal: wanted.streams.isTerminal)
                relay(call, face, wanted.streams, lateAfterMs: wanted.timeoutMs) { [loop] in
                    loop.open(execution, driver: driver).map(CommandRelay.Source.command)
                }
            }
        } catch {
            call.fail(error)
        }
    }

    /// Follows what a replica writes from now on: `…/pods/NAME-0/attach`.
    func attach(_ call: Call) {
        do throws(Failure) {
            let replica = try ReplicaName(call)
            let streams = CommandRequest.Streams(call.parameters)
            if streams.hasInput || streams.isTerminal {
                let what = streams.hasInput ? "standard input" : "terminal"
                throw .badRequest("agent \"\(replica.agent.name)\" has no \(what) to attach to", key: replica.agent)
            }
            let face = try CommandFace(call)
            guard let agent = loop.engine.state.objects[replica.agent]?.agent else { throw .notFound(replica.agent) }
            guard let found = agent.replicas.first(where: { $0.ordinal == replica.ordinal }) else {
                throw Failure(.noReplica(replica.agent, ordinal: replica.ordinal))
            }
            guard let run = found.phase.run, found.phase.isLive else {
                throw Failure(.conflict(replica.agent, .notRunning(ordinal: replica.ordinal, found.phase.name)))
            }
            let request = LogRequest(run: run.id, tail: 0, follows: true)
            relay(call, face, streams, lateAfterMs: 0) { [loop] in
                loop.logs(request, driver: run.spec.driver).map(CommandRelay.Source.log)
            }
        } catch {
            call.fail(error)
        }
    }

    private func relay(
        _ call: Call, _ face: CommandFace, _ streams: CommandRequest.Streams, lateAfterMs: Int64,
        _ open: @escaping () -> CommandRelay.Source?
    ) {
        guard let connection = face.upgrade(call) else { return }
        let relay = CommandRelay(
            server: self, connection, face.channels(streams), streams, lateAfterMs: lateAfterMs, open: open)
        let id = relay.number
        commands[id] = relay
        call.exchange.onClose = { [weak self] in self?.commands.removeValue(forKey: id)?.hangUp() }
        relay.begin()
    }
}

/// The replica that a request names: `NAME` of an agent, with `ordinal=0` in the query, or `NAME-ORDINAL` of a pod.
struct ReplicaName: Equatable {
    let agent: ObjectKey
    let ordinal: Int

    init(_ call: Call) throws(Failure) {
        let namespace = call.namespace ?? ""
        if let container = call.parameters[Query.container], container != Resource.podContainer {
            throw .badRequest(
                "container \(container) is not valid for \(call.name): its one is \(Resource.podContainer)")
        }
        if call.route.kind == .agent {
            agent = ObjectKey(.agent, namespace: namespace, name: call.name)
            ordinal = call.parameters[Query.ordinal].map { Int($0) } ?? 0
            return
        }
        guard let (name, ordinal) = Resource.replica(ofPod: call.name) else {
            let message = "pods \"\(call.name)\" not found: a pod is named after its agent and ordinal, as NAME-0"
            throw Failure(code: 404, reason: "NotFound", message: message)
        }
        (agent, self.ordinal) = (ObjectKey(.agent, namespace: namespace, name: name), ordinal)
    }
}
