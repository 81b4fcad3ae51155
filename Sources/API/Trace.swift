import HTTP
import Planner

/// The trace that a request belongs to, as W3C Trace Context names it: of whoever asks, or begun here.
struct Trace: Sendable, Equatable {
    /// 32 hex digits.
    let id: String
    /// The span of whoever asks, and whether they tell of the trace; nil: it was begun here.
    let parent: (span: UInt64, isTold: Bool)?
    /// Its last 16 hex digits name the daemon's own part of the trace.
    private let own: UID

    /// Reads `traceparent`; what is malformed begins a new trace, as the specification asks.
    init(_ header: String?, _ fresh: UID) {
        let given = header.flatMap(Self.read)
        id = given?.id ?? fresh.hex
        parent = given.map { ($0.span, $0.isTold) }
        own = fresh
    }

    static func == (a: Trace, b: Trace) -> Bool { a.id == b.id && a.own == b.own }

    /// The daemon's own part of the trace.
    var span: UInt64 { own.low }

    private static func read(_ header: String) -> (id: String, span: UInt64, isTold: Bool)? {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        func isHex(_ text: Substring, _ count: Int) -> Bool {
            text.utf8.count == count
                && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        guard parts.count >= 4, isHex(parts[0], 2), parts[0] != "ff", isHex(parts[1], 32), isHex(parts[2], 16),
            isHex(parts[3].prefix(2), 2), parts[0] != "00" || (parts.count == 4 && parts[3].utf8.count == 2),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        guard let span = UInt64(parts[2], radix: 16), let flags = UInt8(parts[3].prefix(2), radix: 16) else {
            return nil
        }
        return (String(parts[1]), span, flags & 1 == 1)
    }

    /// What the answer says: the trace, and a span of the daemon's own.
    var header: (String, String) {
        // Every answer has it: it is written without texts in between.
        let text = String(unsafeUninitializedCapacity: 55) { out in
            var at = 0
            func put(_ bytes: some Sequence<UInt8>) {
                for byte in bytes {
                    out[at] = byte
                    at += 1
                }
            }
            put("00-".utf8)
            put(id.utf8)
            put("-".utf8)
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: own.low >> UInt64(shift)) & 15
                put(CollectionOfOne(digit < 10 ? 0x30 + digit : 0x57 + digit))
            }
            // Whoever does not tell of the trace is not asked to by us.
            put((parent?.isTold == false ? "-00" : "-01").utf8)
            return at
        }
        return ("traceparent", text)
    }
}

/// What new traces and spans are named by: random once, then counted.
struct TraceNumbers {
    private let base: UInt64
    private var count: UInt64

    init() {
        var generator = SystemRandomNumberGenerator()
        base = generator.next() | 1
        count = generator.next() >> 1
    }

    mutating func next() -> UID {
        count += 1
        return UID(high: base, low: count)
    }
}
