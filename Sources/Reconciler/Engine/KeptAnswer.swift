/// The answer to a request that carried an `Idempotency-Key`: the same request gets it again.
///
/// Assumes: no value of a Secret stands in it.
public struct KeptAnswer: Sendable, Equatable {
    /// What an answer is found by.
    public struct ID: Hashable, Sendable {
        public var principal: String
        public var key: String

        public init(principal: String, key: String) {
            self.principal = principal
            self.key = key
        }
    }

    public var principal: String
    public var key: String
    /// Of the body: the same key with another body is refused.
    public var digest: String
    /// A JSON document.
    public var answer: String
    public var atMs: Int64

    public var id: ID { ID(principal: principal, key: key) }

    public init(principal: String, key: String, digest: String, answer: String, atMs: Int64) {
        self.principal = principal
        self.key = key
        self.digest = digest
        self.answer = answer
        self.atMs = atMs
    }
}
