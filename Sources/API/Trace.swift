import HTTP
import Planner

/// The trace that a request belongs to, as W3C Trace Context names it: of whoever asks, or begun here.
struct Trace: Sendable, Equatable {
    /// 32 hex digits.
    let id: String

    /// Reads `traceparent`; what is malformed begins a new trace, as the specification asks.
    init(_ header: String?) {
        id = header.flatMap(Self.id) ?? Self.random(of: 32)
    }

    private static func id(_ header: String) -> String? {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        func isHex(_ text: Substring, _ count: Int) -> Bool {
            text.utf8.count == count
                && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        guard parts.count >= 4, isHex(parts[0], 2), parts[0] != "ff", isHex(parts[1], 32), isHex(parts[2], 16),
            isHex(parts[3].prefix(2), 2), parts[0] != "00" || (parts.count == 4 && parts[3].utf8.count == 2),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        return String(parts[1])
    }

    /// What the answer says: the trace, and a span of the daemon's own.
    var header: (String, String) { ("traceparent", "00-\(id)-\(Self.random(of: 16))-01") }

    private static func random(of digits: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(UID(high: generator.next() | 1, low: generator.next() | 1).hex.prefix(digits))
    }
}
