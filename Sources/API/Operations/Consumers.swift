import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    func consumers(_ call: Call) {
        let items = loop.engine.state.consumers.values.sorted { $0.name < $1.name }.map { consumer in
            Node.map([
                ("name", .text(consumer.name)), ("position", .number(consumer.position)),
                ("offset", .number(consumer.journalOffset)),
                ("expired", Node(.bool(consumer.isExpired))),
            ])
        }
        call.respond(200, .map([("kind", "ConsumerList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))]))
    }

    /// Only what can have been read can be acknowledged: a number beyond it would let later events go unread.
    func acknowledge(_ call: Call) {
        let position = call.parameters[Query.position] ?? 0
        let offset = call.parameters[Query.offset] ?? 0
        guard offset <= eventLog.end, position <= loop.engine.state.position else {
            return call.fail(.badRequest("position and offset must be of an event that was read"))
        }
        command(call, .acknowledge(consumer: call.name, position: position, journalOffset: offset))
    }

    func removeConsumer(_ call: Call) { command(call, .removeConsumer(call.name)) }
}
