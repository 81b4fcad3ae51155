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
        var (high, low, count): (UInt64, UInt64, Int) = (0, 0, 0)
        for byte in text.utf8 where byte != UInt8(ascii: "-") {
            guard count < 32, let digit = hexDigit(byte) else { return nil }
            (high, low) = (high << 4 | low >> 60, low << 4 | UInt64(digit))
            count += 1
        }
        guard count == 32 else { return nil }
        self.init(high: high, low: low)
    }

    /// What belongs to an object and is stored nowhere.
    public enum Derivation: UInt64, Sendable {
        /// A document that a view makes of it.
        case view = 0x5e1f_a9b3_70c4_d26e
        /// A revision of it.
        case revision = 0x91d4_0b7e_c85a_36f2
        /// An event that was told of it.
        case told = 0x3c6e_f372_fe94_f82b
    }

    /// The identity of what belongs to an object: always the same for the same number.
    public func derived(_ derivation: Derivation, _ number: UInt64) -> UID {
        UID(high: high ^ derivation.rawValue, low: low &+ number &* 0x9e37_79b9_7f4a_7c15)
    }

    public var hex: String { digits(hyphensBefore: 0) }

    /// `metadata.uid`, as a UUID is written.
    public var text: String { digits(hyphensBefore: 1 << 8 | 1 << 12 | 1 << 16 | 1 << 20) }

    /// Every event, audit entry and answer carries one: it is written without a text in between.
    ///
    /// - Parameter places: a bit for each digit that a hyphen stands before.
    private func digits(hyphensBefore places: UInt32) -> String {
        String(unsafeUninitializedCapacity: 36) { out in
            var at = 0
            for index in 0..<32 {
                if places >> UInt32(index) & 1 == 1 {
                    out[at] = UInt8(ascii: "-")
                    at += 1
                }
                let word = index < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index & 15))) & 15
                out[at] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                at += 1
            }
            return at
        }
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
        "\(uid.hex)-\(padded(ordinal, 5))-\(padded(attempt, 10))"
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

private func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
