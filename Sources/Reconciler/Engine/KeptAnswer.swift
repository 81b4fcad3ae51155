public import Planner

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

    /// The object that a write was about, and whether it was new then.
    public struct About: Sendable, Equatable {
        public var key: ObjectKey
        public var uid: UID
        public var createdAtMs: Int64
        public var isCreated: Bool

        public init(key: ObjectKey, uid: UID, createdAtMs: Int64, isCreated: Bool) {
            self.key = key
            self.uid = uid
            self.createdAtMs = createdAtMs
            self.isCreated = isCreated
        }
    }

    public var principal: String
    public var key: String
    /// Of the body: the same key with another body is refused.
    public var digest: String
    /// Nil: the request was carried out, and there is nothing to show.
    public var object: About?
    public var atMs: Int64

    public var id: ID { ID(principal: principal, key: key) }

    public init(principal: String, key: String, digest: String, object: About?, atMs: Int64) {
        self.principal = principal
        self.key = key
        self.digest = digest
        self.object = object
        self.atMs = atMs
    }
}
