import Reconciler
import Values

/// Spans in the JSON of OTLP 1.x: numbers of 64 bits are text, ids are hex digits.
enum OTLPDocument {
    static func request(_ spans: [Span], version: String) -> Node {
        .map([
            (
                "resourceSpans",
                .list([
                    .map([
                        (
                            "resource",
                            .map([
                                (
                                    "attributes",
                                    .list([
                                        attribute("service.name", "agentos-apply"),
                                        attribute("service.version", version),
                                    ])
                                )
                            ])
                        ),
                        (
                            "scopeSpans",
                            .list([
                                .map([
                                    ("scope", .map([("name", .text("agentos-apply")), ("version", .text(version))])),
                                    ("spans", .list(spans.map(span))),
                                ])
                            ])
                        ),
                    ])
                ])
            )
        ])
    }

    private static func span(_ span: Span) -> Node {
        .map([
            ("traceId", .text(span.trace)), ("spanId", .text(Hex.text(span.id))),
            ("parentSpanId", span.parent.map { .text(Hex.text($0)) }), ("name", .text(span.name)),
            ("kind", .number(span.kind.rawValue)), ("startTimeUnixNano", .text(String(span.startNs))),
            ("endTimeUnixNano", .text(String(span.endNs))),
            ("attributes", .list(span.attributes.map { attribute($0.0, $0.1) })),
            (
                "events",
                span.events.isEmpty
                    ? nil
                    : .list(
                        span.events.map {
                            .map([("timeUnixNano", .text(String($0.atNs))), ("name", .text($0.name))])
                        })
            ),
            ("status", span.failure.map { .map([("code", .number(2)), ("message", .text($0))]) }),
        ])
    }

    private static func attribute(_ name: String, _ value: String) -> Node {
        .map([("key", .text(name)), ("value", .map([("stringValue", .text(value))]))])
    }

    /// How many spans an answer says that were not taken; what it does not say was taken.
    static func refused(_ body: [UInt8]) -> Int {
        let count = JSONReader.read(String(decoding: body, as: UTF8.self))?[path: "partialSuccess", "rejectedSpans"]
        return max(0, count?.int ?? count?.string.flatMap { Int($0) } ?? 0)
    }
}
