/// The maxima of a server; whoever starts it passes them in.
public struct HTTPLimits: Sendable {
    public var connectionsMax = 512
    /// Of them, those that come over TLS.
    public var remoteMax = 448
    /// Exchanges that go on without an end, such as watches; the other connections stay free for short requests.
    public var streamsMax = 448
    /// Of them, those over TLS.
    public var remoteStreamsMax = 384
    /// Answers that are compressed at a time, of which each needs 256 KiB; others are sent as they are.
    public var compressedMax = 32
    public var bodyBytesMax = 16 << 20
    /// Bodies of all requests together.
    public var bodiesBytesMax = 128 << 20
    /// What one client of a stream may leave unread before it is let go.
    public var streamBytesMax = 8 << 20
    /// What all clients of streams may leave unread; beyond it the one that is furthest behind is let go.
    public var streamsBytesMax = 64 << 20
    /// From the connection to the end of the first head.
    public var headMs: Int64 = 15_000
    /// From one answer to the end of the next head.
    public var idleMs: Int64 = 75_000
    /// For a whole body, and for a body of which nothing more arrives.
    public var bodyMs: Int64 = 120_000
    public var bodyStallMs: Int64 = 15_000
    /// For an answer of which the client takes nothing more.
    public var sendStallSeconds: UInt32 = 60

    public init() {}
}
