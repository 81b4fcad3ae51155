import Values

/// A stretch of work that a trace tells of, once it has ended.
public struct Span: Sendable {
    /// As OpenTelemetry numbers them.
    public enum Kind: Int, Sendable {
        case inner = 1
        case server, client, producer
    }

    public var trace: String
    public var id: UInt64
    /// Nil: the daemon knows of none.
    public var parent: UInt64?
    public var name: String
    public var kind: Kind
    /// Nanoseconds since 1970.
    public var startNs: Int64
    public var endNs: Int64
    public var attributes: [(String, String)]
    /// What was reached within it, and when.
    public var events: [(name: String, atNs: Int64)] = []
    /// Why it has failed; nil: it has not.
    public var failure: String?

    public init(
        _ name: String, _ kind: Kind, trace: String, id: UInt64, parent: UInt64?, startNs: Int64, endNs: Int64,
        _ attributes: [(String, String)] = []
    ) {
        (self.name, self.kind, self.trace, self.id, self.parent) = (name, kind, trace, id, parent)
        (self.startNs, self.endNs, self.attributes) = (startNs, max(startNs, endNs), attributes)
    }

    /// A number that follows from what it is for, so that others can name it before it has ended.
    public static func id(_ parts: String...) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in parts {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x0000_0100_0000_01b3
        }
        return hash | 1
    }

    /// The attributes that every span has.
    public static let required = ["agentos.part"]
}

/// Where spans go, and which traces are told of.
public struct SpanPort: Sendable {
    /// Whether a trace is told of; `isAsked`: whoever began it tells of it, too.
    public let begins: @Sendable (_ trace: String, _ span: UInt64, _ isAsked: Bool?) -> Void
    /// Nil: the trace is not told of; else the span of the request that has caused it, where that is known.
    public let parent: @Sendable (_ trace: String) -> UInt64??
    public let emit: @Sendable (Span) -> Void

    public init(
        begins: @escaping @Sendable (String, UInt64, Bool?) -> Void,
        parent: @escaping @Sendable (String) -> UInt64??, emit: @escaping @Sendable (Span) -> Void
    ) {
        (self.begins, self.parent, self.emit) = (begins, parent, emit)
    }

    public static let none = SpanPort(begins: { _, _, _ in }, parent: { _ in nil }, emit: { _ in })
}

extension EventRecord {
    /// What W3C Trace Context says of the event to whom it is delivered; nil for a payload that is not ours.
    public var traceparent: String? { traceID.map { "00-\($0)-\(Hex.text(spanID))-01" } }

    /// The span of its delivery to the journal.
    public var spanID: UInt64 { Span.id(uid.text, String(sequence)) }
}

/// Numbers in 16 hex digits.
public enum Hex {
    /// A number of a trace or span as OTLP and `traceparent` write it.
    public static func text(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
