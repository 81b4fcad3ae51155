import CLinux
import HTTP
import Values

/// Which part of a log is wanted.
struct LogRange {
    /// Records of before are left out; as the time of a record is written, which sorts as time does.
    private let since: String?
    /// So many bytes are still wanted; nil: all.
    private(set) var bytesLeft: Int?

    init(_ call: Call) throws(Failure) {
        let parameters = call.parameters
        bytesLeft = parameters[Query.limitBytes].map { Int(clamping: $0) }
        let seconds = parameters[Query.sinceSeconds]
        guard let time = parameters[Query.sinceTime] else {
            since = seconds.map { Self.mark(agentos_wall_ms() - $0 * 1000) }
            return
        }
        if seconds != nil { throw .badRequest("sinceTime: is forbidden beside sinceSeconds") }
        // Fractions of a second are cut to what a moment holds.
        let parts = time.dropLast().split(separator: ".", maxSplits: 1)
        let fraction = parts.count > 1 ? parts[1].prefix(3) : ""
        let padded = fraction.isEmpty ? "" : ".\(fraction)\(String(repeating: "0", count: 3 - fraction.count))"
        guard time.hasSuffix("Z"), let ms = Timestamp.parse("\(parts.first ?? "")\(padded)Z") else {
            throw .badRequest("sinceTime: expected a time such as 2006-01-02T15:04:05Z, found \"\(time)\"")
        }
        since = Self.mark(ms)
    }

    private static func mark(_ ms: Int64) -> String { String(Timestamp.milliseconds(ms).dropLast()) }

    func takes(_ time: String) -> Bool { since.map { time >= $0 } ?? true }

    /// As much of a text as is still wanted.
    mutating func cut(_ text: [UInt8]) -> [UInt8] {
        guard let left = bytesLeft else { return text }
        bytesLeft = max(0, left - text.count)
        return text.count > left ? Array(text[..<left]) : text
    }
}
