import HTTP
import Reconciler
import Values

/// The JSON Schemas of events, as other programs read them. All of it is made once, from the descriptions.
extension Server {
    func eventSchemas(_ call: Call) { Self.schemaList.send(call) }

    /// One version of one type: `/schemas/run.started/v1`.
    func eventSchema(_ call: Call) {
        let path = Self.path(call.names[0], call.names[1])
        if let schema = Self.schemas[path] { return schema.send(call) }
        let known = EventSchemas.all.contains { $0.type == call.names[0] }
        let message = known ? "\(call.names[0]) has no such version" : "no event has the type \(call.names[0])"
        call.fail(Failure(code: 404, reason: "NotFound", message: "\(message); /schemas lists all"))
    }

    private static func path(_ type: String, _ version: String) -> String { "/schemas/\(type)/\(version)" }

    private static let schemas = Dictionary(
        uniqueKeysWithValues: EventSchemas.all.map {
            (path($0.type, "v\($0.version)"), StaticAnswer($0.schema))
        })

    private static let schemaList = StaticAnswer(
        .map([
            ("kind", "EventSchemaList"), ("apiVersion", "agentos.dev/v1"),
            (
                "items",
                .list(
                    EventSchemas.all.map {
                        .map([
                            ("type", .text($0.type)), ("version", .number($0.version)),
                            ("path", .text(path($0.type, "v\($0.version)"))),
                        ])
                    })
            ),
        ]))
}
