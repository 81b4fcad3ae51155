import Manifests
import Planner
import Reconciler
import Values

/// The engine beside a store that takes everything.
struct House {
    var engine: Engine
    var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
    private var requests = 0

    /// Who asks.
    var principal = Principal(user: "test", via: .socket)

    init(_ settings: EngineSettings = EngineSettings()) {
        engine = Engine(state: EngineState(), settings: settings)
        write(.agentNamespace, .apply(.emptyMap, force: true))
        take([.observed(driver: "process", [:], complete: true)])
    }

    @discardableResult
    mutating func take(_ inputs: [Input]) -> Step {
        let step = engine.step(inputs, now)
        engine.committed(step)
        return step
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
