import CLinux
import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

/// `GET …/explanations?kind=&namespace=&name=`, or `?event=`: why an object is as it is, now or at a time.
extension Server {
    func explain(_ call: Call) {
        do throws(Failure) {
            let asked = try ExplanationRequest(call.parameters)
            switch asked.subject {
            case .object(let key): try explain(call, asked, key, untilMs: asked.atMs ?? .max, position: nil)
            case .position(let position):
                loop.read { store throws(StoreFailure) in
                    try store.outbox(position: position, stuckOnly: false, limit: 1).first?.event
                } _: { [self] in
                    explain(call, asked, $0)
                }
            case .event(let uid, let sequence):
                if let key = loop.engine.state.keysByUID[uid] { try check(call, mayRead: key) }
                loop.read { store throws(StoreFailure) in
                    try store.event(of: uid, sequence: sequence)
                } _: { [self] in
                    explain(call, asked, $0)
                }
            }
        } catch {
            call.fail(error)
        }
    }

    private func explain(_ call: Call, _ asked: ExplanationRequest, _ found: Result<EventRecord?, StoreFailure>) {
        do throws(Failure) {
            guard case .success(let record) = found else { throw .unavailable }
            let object = record.flatMap { JSONReader.read($0.payload)?["object"] }
            guard let record, let kind = object?["kind"]?.string.flatMap(Kind.init(rawValue:)),
                let name = object?["name"]?.string
            else { throw Self.noEvent }
            let key = ObjectKey(kind, namespace: object?["namespace"]?.string ?? "", name: name)
            try check(call, mayRead: key)
            try explain(call, asked, key, untilMs: record.atMs, position: record.position)
        } catch {
            call.fail(error)
        }
    }

    private static let noEvent = Failure(
        code: 404, reason: "NotFound", message: "no event of this number is kept")

    /// A number names nothing: who may not read the object does not learn what it is called, nor that it is.
    private func check(_ call: Call, mayRead key: ObjectKey) throws(Failure) {
        if !loop.engine.state.access.allows(call.principal, Attributes(.get, key)) { throw Self.noEvent }
    }

    /// - Parameter position: of an event: what came after it is no cause of it.
    private func explain(
        _ call: Call, _ asked: ExplanationRequest, _ key: ObjectKey, untilMs: Int64, position: Int64?
    ) throws(Failure) {
        let needed = Attributes(.get, key)
        let state = loop.engine.state
        guard state.access.allows(call.principal, needed) else { throw .forbidden(call.principal, needed) }
        let object = untilMs == .max ? state.objects[key] : nil
        if let ordinal = asked.ordinal, let agent = object?.agent,
            !agent.replicas.contains(where: { $0.ordinal == ordinal })
        {
            throw Failure(.noReplica(key, ordinal: ordinal))
        }
        let ordinal = asked.ordinal
        loop.readBeside { store throws(StoreFailure) in
            let past = try Past(of: key, untilMs: untilMs, position: position, in: store)
            let explanation = Explanation(
                key, ordinal: ordinal, object: object, history: past.history, revisions: past.revisions,
                nowMs: agentos_wall_ms())
            return JSONWriter.bytes(explanation.document)
        } _: { result in
            guard case .success(let bytes) = result else { return call.fail(.unavailable) }
            call.respond(200, json: [bytes])
        }
    }
}

/// What is remembered of an object, and of the Sources that have declared it.
private struct Past {
    var history: [HistoryEntry]
    /// By the moment of the sync: its writes are of the same step.
    var revisions: [Int64: String] = [:]

    init(of key: ObjectKey, untilMs: Int64, position: Int64?, in store: any Store) throws(StoreFailure) {
        history = try store.history(of: key, untilMs: untilMs, limit: Limits.historyMax)
        if let position { history.removeAll { $0.position.map { $0 > position } ?? false } }
        let sources = Set(history.compactMap { Principal.source(of: $0.user) }).sorted()
        for source in sources.prefix(Limits.historySourcesMax) {
            for entry in try store.history(of: source, untilMs: untilMs, limit: Limits.historyMax)
            where entry.verb == "sync" {
                revisions[entry.atMs] = entry.detail.split(separator: ";").first.map(String.init)
            }
        }
    }
}

/// What an explanation is asked of.
private struct ExplanationRequest {
    enum Subject {
        case object(ObjectKey)
        case position(Int64)
        case event(UID, sequence: Int64)
    }

    let subject: Subject
    let ordinal: Int?
    let atMs: Int64?

    init(_ parameters: Parameters) throws(Failure) {
        ordinal = parameters[Query.ordinal].map { Int($0) }
        if let text = parameters[Query.at] {
            guard let ms = Timestamp.parse(text) else {
                throw .badRequest("at: expected a time such as 2026-01-31T12:00:00Z, found \"\(text)\"")
            }
            atMs = ms
        } else {
            atMs = nil
        }
        if let text = parameters[Query.event] {
            subject = try Self.event(text)
            return
        }
        guard let word = parameters[Query.kind], let kind = Kind(rawValue: word) else {
            throw .badRequest("kind: expected \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard let name = parameters[Query.name], !name.isEmpty else { throw .badRequest("name: is required") }
        let namespace = kind.isNamespaced ? parameters[Query.namespace] ?? "default" : ""
        subject = .object(ObjectKey(kind, namespace: namespace, name: name))
    }

    /// A position, or `UID-SEQUENCE` as events carry it.
    private static func event(_ text: String) throws(Failure) -> Subject {
        let numbers: ClosedRange<Int64> = 1...Int64.max
        if let position = WholeNumber.read(text, in: numbers) { return .position(position) }
        if let dash = text.lastIndex(of: "-"), let uid = UID(String(text[..<dash])),
            let sequence = WholeNumber.read(text[text.index(after: dash)...], in: numbers)
        {
            return .event(uid, sequence: sequence)
        }
        throw .badRequest("event: expected a position or the event_id of an event, found \"\(text)\"")
    }
}
