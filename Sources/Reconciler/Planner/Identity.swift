public import Manifests
import Values

/// The identity of an object over its whole life: 128 random bits, drawn by the API.
public struct UID: Hashable, Comparable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 32 hex digits, with or without the hyphens of a UUID.
    public init?(_ text: String) {
        let digits = text.filter { $0 != "-" }
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    public var hex: String { padded(high, radix: 16, 16) + padded(low, radix: 16, 16) }

    /// `metadata.uid`, as a UUID is written.
    public var text: String {
        let digits = Array(hex)
        return [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
            .map { String($0) }.joined(separator: "-")
    }

    public static func < (a: UID, b: UID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

/// Kind, namespace and name: what a request speaks of.
public struct ObjectKey: Hashable, Comparable, Sendable {
    public var kind: Kind
    /// Empty for kinds without a namespace.
    public var namespace: String
    public var name: String

    public init(_ kind: Kind, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    public static func < (a: ObjectKey, b: ObjectKey) -> Bool {
        (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name)
    }
}

/// One attempt to run one replica. Its text is fixed by arithmetic: uid, ordinal, attempt.
public struct RunID: Hashable, Comparable, Sendable {
    public var uid: UID
    public var ordinal: Int
    public var attempt: Int

    public init(uid: UID, ordinal: Int, attempt: Int) {
        self.uid = uid
        self.ordinal = ordinal
        self.attempt = attempt
    }

    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count == 32, parts[1].utf8.count == 5, parts[2].utf8.count == 10,
            let uid = UID(String(parts[0])), let ordinal = Int(parts[1]), let attempt = Int(parts[2])
        else { return nil }
        self.init(uid: uid, ordinal: ordinal, attempt: attempt)
    }

    public var text: String {
        "\(uid.hex)-\(padded(UInt64(ordinal), radix: 10, 5))-\(padded(UInt64(attempt), radix: 10, 10))"
    }

    public static func < (a: RunID, b: RunID) -> Bool { (a.uid, a.ordinal, a.attempt) < (b.uid, b.ordinal, b.attempt) }

    /// A number in 0..<1 that depends on nothing but the id: the jitter of its backoff.
    public var jitter: Double {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for word in [uid.high, uid.low, UInt64(ordinal), UInt64(attempt)] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                hash = (hash ^ (word >> shift & 255)) &* 0x0000_0100_0000_01b3
            }
        }
        return Double(hash >> 11) / Double(UInt64(1) << 53)
    }
}

func padded(_ number: UInt64, radix: Int, _ width: Int) -> String {
    let digits = String(number, radix: radix)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
