import Manifests
import Planner
import Reconciler
import Simulation
import Values

/// The engine beside a store that takes everything.
struct House {
    var engine: Engine
    var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
    private var requests = 0
    /// What the drivers were asked for and have not done.
    private var operations: [Operation] = []
    private var instances: [RunID: Instance] = [:]

    /// Who asks.
    var principal = Principal(user: "test", via: .socket)

    init(_ settings: EngineSettings = EngineSettings(drivers: .simulated)) {
        engine = Engine(state: EngineState(), settings: settings)
        write(.agentNamespace, .apply(.emptyMap, force: true))
        take([.observed(driver: "process", [:], complete: true)])
    }

    @discardableResult
    mutating func take(_ inputs: [Input]) -> Step {
        let step = engine.step(inputs, now)
        engine.committed(step)
        operations += step.operations
        return step
    }

    /// The driver does what it was asked for, until nothing more follows.
    mutating func settle() {
        for _ in 0..<100 where !operations.isEmpty {
            let asked = operations
            operations = []
            now.bootMs += 100
            now.wallMs += 100
            for operation in asked {
                switch operation.verb {
                case .start, .thaw: instances[operation.run] = .running(pid: 1, startedAtMs: now.wallMs)
                case .freeze: instances[operation.run] = .running(pid: 1, startedAtMs: now.wallMs, isFrozen: true)
                case .signal, .kill:
                    instances[operation.run] = .exited(Exit(code: 0, reason: .completed, atMs: now.wallMs))
                case .giveUp: instances[operation.run] = .absent
                case .remove: break
                }
            }
            take(asked.map { .finished($0, .done) } + [.observed(driver: "process", instances, complete: true)])
        }
    }

    @discardableResult
    mutating func ask(_ verb: Request.Verb) -> Answer? {
        requests += 1
        now.wallMs += 10_000
        return take([.request(Request(id: requests, principal: principal, verb: verb))]).answers.first?.answer
    }

    @discardableResult
    mutating func write(
        _ key: ObjectKey, _ operation: Request.Write.Operation, to part: Request.Write.Subresource = .none,
        by manager: String = "test", _ validation: Request.Write.FieldValidation = .strict, dryRun: Bool = false,
        _ preconditions: Request.Preconditions = Request.Preconditions()
    ) -> Answer? {
        let write = Request.Write(
            key: key, subresource: part, operation, manager: manager, dryRun: dryRun, validation: validation,
            preconditions: preconditions, freshUID: UID(high: 1, low: UInt64(requests) + 1))
        return ask(.write(write))
    }

    subscript(key: ObjectKey) -> StoredObject? { engine.state.objects[key] }
}

extension ObjectKey {
    static func namespace(_ name: String) -> ObjectKey { ObjectKey(.namespace, namespace: "", name: name) }
    static let agentNamespace = ObjectKey(.namespace, namespace: "", name: "default")
    static func map(_ name: String) -> ObjectKey { ObjectKey(.configMap, namespace: "default", name: name) }
    static func agent(_ name: String) -> ObjectKey { ObjectKey(.agent, namespace: "default", name: name) }
}

extension Answer {
    var applied: Applied? { if case .applied(let applied) = self { applied } else { nil } }
    var refusal: Refusal? { if case .failure(let refusal) = self { refusal } else { nil } }
}

extension Principal {
    static let master = Principal(user: "root", groups: [Principal.masters], via: .socket)
}

func read(json text: String) -> Node { JSONReader.read(text) ?? .text("unreadable: \(text)") }
