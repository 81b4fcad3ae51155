import Manifests
import Planner
import Values

extension Work {
    mutating func answer(_ request: Request) -> Answer {
        draft.trace = request.trace
        defer { draft.trace = nil }
        do throws(Refusal) {
            let principal = request.principal
            if request.makesWork { try checkDelivery() }
            switch request.verb {
            case .write(let write): return .applied(try self.write(write, by: principal))
            case .delete(let delete): return .deleted(try self.delete(delete, by: principal))
            case .batch(let batch): return try carryOut(batch, by: principal)
            case .replay(let position): return try resolveDeadLetter(position, skip: false, by: principal)
            case .skip(let position): return try resolveDeadLetter(position, skip: true, by: principal)
            case .acknowledge(let name, let position, let offset): return try acknowledge(name, position, offset)
            case .removeConsumer(let name): return try removeConsumer(name)
            case .resolve(let resolution, let sink, let position):
                return try resolve(resolution, position, in: sink, by: principal)
            case .forgetSink(let name): return try forgetSink(name, by: principal)
            case .execute(let key, let ordinal, let command):
                return try execute(key, ordinal, command, by: principal)
            case .forward(let key, let ordinal, let ports):
                let (object, run) = try running(key, ordinal)
                // Those who name their ports later are asked about again for each.
                if !ports.isEmpty {
                    let words = ports.map(String.init).joined(separator: ", ")
                    draft.audit(
                        "port-forward", key, object.uid, by: principal, detail: "run \(run.id.text): ports \(words)")
                }
                return .execution(run.id, driver: run.spec.driver)
            }
        } catch {
            return .failure(error)
        }
    }

    /// What runs beside an agent is in the audit before it runs.
    private mutating func execute(
        _ key: ObjectKey, _ ordinal: Int, _ command: [String], by principal: Principal
    ) throws(Refusal) -> Answer {
        let (object, run) = try running(key, ordinal)
        try checkMachineUser(of: run.spec, key, principal)
        let words = JSONWriter.text(.list(command.map(Node.text))).prefix(1024)
        draft.audit("exec", key, object.uid, by: principal, detail: "run \(run.id.text): \(words)")
        return .execution(run.id, driver: run.spec.driver)
    }

    /// The run of a replica that lives and gets time.
    private func running(_ key: ObjectKey, _ ordinal: Int) throws(Refusal) -> (StoredObject, Run) {
        guard let object = draft[key], let agent = object.agent else { throw .notFound(key) }
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }) else {
            throw .noReplica(key, ordinal: ordinal)
        }
        let isRunning =
            switch replica.phase {
            case .ready, .starting(_, seen: true), .stopping: true
            case .starting, .created, .scheduled, .failed, .backingOff, .stopped, .completed: false
            }
        guard isRunning, let run = replica.phase.run else {
            throw .conflict(key, .notRunning(ordinal: ordinal, replica.phase.name))
        }
        if run.isFrozen { throw .conflict(key, .frozen(ordinal: ordinal)) }
        return (object, run)
    }
}

extension Request {
    /// It is told of, and leads to more: it waits while delivery is far behind. What ends something, and what helps, does not.
    fileprivate var makesWork: Bool {
        if principal.via == .daemon { return false }
        return switch verb {
        case .write(let write): write.subresource != .status && !write.dryRun
        case .batch: true
        case .delete, .replay, .skip, .acknowledge, .removeConsumer, .execute, .forward, .resolve, .forgetSink: false
        }
    }
}
