/// The keys that values are sealed with: the first seals, all of them open.
public struct SecretKeys: Sendable, Equatable {
    private let keys: [SealingKey]

    public init(_ first: SealingKey, older: [SealingKey] = []) {
        keys = [first] + older.filter { $0 != first }
    }

    /// Reads lines of 64 hex digits, the newest first; lines that begin with # say nothing. Nil when there is none, or
    /// another line.
    public init?(text: String) {
        var keys: [SealingKey] = []
        for line in text.split(whereSeparator: \.isNewline)
        where !line.hasPrefix("#") && !line.allSatisfy(\.isWhitespace) {
            guard let key = SealingKey(line.filter { !$0.isWhitespace }) else { return nil }
            keys.append(key)
        }
        guard let first = keys.first else { return nil }
        self.init(first, older: Array(keys.dropFirst()))
    }

    public var current: SealingKey { keys[0] }
    public var older: [SealingKey] { Array(keys.dropFirst()) }

    public subscript(id: String) -> SealingKey? { keys.first { $0.id == id } }
}
