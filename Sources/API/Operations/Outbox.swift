import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    func outbox(_ call: Call) { outbox(call, position: nil) }

    func outboxRecord(_ call: Call) {
        guard let position = position(call) else { return }
        outbox(call, position: position)
    }

    private func outbox(_ call: Call, position: Int64?) {
        if let sink = call.parameters[Query.sink] { return parked(call, in: sink, position: position) }
        let stuckOnly = !call.parameters.has(Query.all)
        loop.read { store throws(StoreFailure) in
            try store.outbox(position: position, stuckOnly: stuckOnly, limit: Limits.listLimitMax)
        } _: { result in
            switch result {
            case .success(let rows) where position != nil && rows.isEmpty: call.fail(Self.noRecord)
            case .success(let rows):
                call.respond(
                    200,
                    .map([
                        ("kind", "OutboxRecordList"), ("apiVersion", "agentos.dev/v1"),
                        ("items", .list(rows.map(Self.node))),
                    ]))
            case .failure: call.fail(.unavailable)
            }
        }
    }

    private static func node(_ record: OutboxRecord) -> Node {
        .map([
            ("position", .number(record.event.position)), ("state", .text(record.state.rawValue)),
            ("attempts", .number(record.attempts)), ("event_type", .text(record.event.type)),
            ("error", record.error.map(Node.text)), ("event", JSONReader.read(record.event.payload)),
        ])
    }

    func replay(_ call: Call) {
        guard let position = position(call) else { return }
        if let sink = call.parameters[Query.sink] {
            return resolve(call, .replay, in: sink, position: position)
        }
        command(call, .replay(position: position))
    }

    /// The journal takes everything in its time: only what waits for a named sink can be dropped.
    func drop(_ call: Call) {
        guard let position = position(call) else { return }
        guard let sink = call.parameters[Query.sink] else {
            return call.fail(.badRequest("only what a named sink has not taken can be dropped: name it with sink"))
        }
        resolve(call, .drop, in: sink, position: position)
    }

    func skip(_ call: Call) {
        guard let position = position(call) else { return }
        if let sink = call.parameters[Query.sink] {
            return resolve(call, .skip, in: sink, position: position)
        }
        command(call, .skip(position: position))
    }

    private static let noRecord = Failure(
        code: 404, reason: "NotFound", message: "no event at this position in the outbox")

    /// The position in the path; answers when there is none that could exist.
    private func position(_ call: Call) -> Int64? {
        if let position = WholeNumber.read(call.name, in: 1...Int64.max) { return position }
        call.fail(Self.noRecord)
        return nil
    }
}
