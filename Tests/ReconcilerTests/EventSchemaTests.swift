import Planner
import Testing
import Values

@testable import Reconciler

/// Events and their schemas: what is told is described, and what is described stays readable.
@Suite struct EventSchemaTests {
    private static func node(_ text: String) -> Node { JSONReader.read(text) ?? .text("no JSON: \(text)") }

    // MARK: What readers of older versions know

    @Test(
        arguments: [
            (#"{"type":"string"}"#, #"{"type":"string"}"#, nil),
            (#"{"type":"integer"}"#, #"{"type":"number"}"#, nil),
            (#"{"type":"number"}"#, #"{"type":"integer"}"#, "x: was number, is integer"),
            (#"{"type":"string"}"#, #"{"type":"integer"}"#, "x: was string, is integer"),
            (#"{"type":"string"}"#, #"{}"#, nil), (#"{}"#, #"{"type":"string"}"#, "x: was anything, is string"),
            (#"{"enum":["a","b"]}"#, #"{"enum":["b","c","a"]}"#, nil),
            (#"{"enum":["a","b"]}"#, #"{"enum":["a"]}"#, "x: takes fewer words"),
            (#"{"type":"string"}"#, #"{"type":"string","enum":["a"]}"#, "x: takes fewer words"),
            (#"{"minimum":1}"#, #"{"minimum":0}"#, nil), (#"{"minimum":0}"#, #"{"minimum":1}"#, "x: begins at 1"),
            (#"{}"#, #"{"minimum":1}"#, "x: begins at 1"),
            (#"{"format":"date-time"}"#, #"{}"#, nil), (#"{}"#, #"{"format":"uri"}"#, "x: has another format"),
            (#"{"const":"a"}"#, #"{"const":"b"}"#, "x: has another const"),
            (#"{"items":{"type":"string"}}"#, #"{"items":{"type":"integer"}}"#, "x[]: was string, is integer"),
            (#"{}"#, #"{"additionalProperties":{"type":"string"}}"#, "x[]: was anything, is string"),
            (#"{"properties":{"a":{}}}"#, #"{"properties":{"a":{},"b":{}}}"#, nil),
            (#"{"properties":{"a":{}}}"#, #"{"properties":{"b":{}}}"#, "x.a: was removed"),
            (#"{"required":["a","b"]}"#, #"{"required":["a"]}"#, nil),
            (#"{"required":["a"]}"#, #"{"required":["a","b"]}"#, "x.b: is required, and was not"),
            (
                #"{"properties":{"a":{"type":"number"}}}"#, #"{"properties":{"a":{"type":"integer"}}}"#,
                "x.a: was number, is integer"
            ),
        ] as [(String, String, String?)]) func readersOfTheOlderVersionReadTheNewer(
            old: String, new: String, problem: String?
        )
    {
        func within(_ field: String) -> Node { .map([("properties", .map([("x", Self.node(field))]))]) }
        let found = SchemaCompatibility.breaks(within(old), within(new))
        #expect(found == (problem.map { [$0] } ?? []))
    }

    @Test func versionsHaveNoGapsAndKeepTheirPromises() {
        func described(_ version: Int, _ data: [EventField]) -> EventDescription {
            EventDescription(type: .sinkGone, version: version, data: data)
        }
        let (one, two) = (EventField("a", .text, ""), EventField("b", .text, required: true, ""))
        #expect(EventSchemas.problems([described(1, [one]), described(2, [one, EventField("b", .text, "")])]) == [])
        #expect(EventSchemas.problems([described(1, [one]), described(3, [one])]).count == 1)
        #expect(EventSchemas.problems([described(2, [one])]) == ["sink.gone v2: a version is missing before it"])
        #expect(
            EventSchemas.problems([described(1, [one]), described(2, [two])]) == [
                "sink.gone v2: data.a: was removed", "sink.gone v2: data.b: is required, and was not",
            ])
        #expect(EventSchemas.problems == [], "of this program")
    }

    // MARK: What is told

    private static let good = #"""
        {"event_id":"u-1","event_type":"run.failed","schema_version":1,"occurred_at":"2026-01-02T03:04:05.678Z",
         "trace_id":"t","tenant_id":"","object":{"kind":"Agent","namespace":"a","name":"n","uid":"u","labels":{"l":"v"}},
         "sequence":1,"position":1,"generation":1,"data":{"ordinal":0,"revision":1,"reason":"Exited","exitCode":3}}
        """#

    @Test(
        arguments: [
            ("", "", nil), (#""exitCode":3"#, #""exitCode":"3""#, "data.exitCode: expected a whole number from 0 on"),
            (#""reason":"Exited","#, "", "data.reason: is missing"),
            (#""exitCode":3"#, #""exit":3"#, "data.exit: is not described"),
            (#""sequence":1"#, #""sequence":0"#, "sequence: expected a whole number from 1 on"),
            ("2026-01-02", "2026-13-02", "occurred_at: expected a time"),
            (#""l":"v""#, #""l":1"#, "object.labels: expected texts by name"),
            (#""uid":"u","labels""#, #""labels""#, "object.uid: is missing"),
            (#""object":{"#, #""object":[],"more":{"#, "object: expected a map"),
            (#""schema_version":1"#, #""schema_version":99"#, "run.failed v99: nothing describes it"),
            ("run.failed", "run.sang", "run.sang v1: nothing describes it"),
            (#""event_type":"run.failed","#, "", "it has no event_type"),
        ] as [(String, String, String?)]) func anEventIsAsItsSchemaSaysOrIsTold(
            part: String, other: String, problem: String?
        )
    {
        let text = part.isEmpty ? Self.good : Self.good.replacing(part, with: other)
        let found = EventDescription.problems(JSONReader.read(text))
        if let problem {
            #expect(found.contains { $0.contains(problem) }, "\(found)")
        } else {
            #expect(found == [])
        }
    }

    @Test func someOfManyAreLookedAt() {
        let events = (1...200).map { position in
            EventRecord(
                position: position, uid: UID(high: 1, low: 1), sequence: position, type: "x", namespace: "", atMs: 1,
                payload: "{}")
        }
        #expect(EventDescription.problems(in: events, every: 0).isEmpty)
        #expect(EventDescription.problems(in: events, every: 100).count == 2)
        #expect(EventDescription.problems(in: events, every: 1).count == 200)
    }
}
