public import Planner

/// What of a run's log is wanted.
public struct LogRequest: Sendable {
    public var run: RunID
    /// So many of the last lines, and what follows; nil: all that is kept.
    public var tail: Int?
    /// Goes on while the run may write.
    public var follows: Bool

    public init(run: RunID, tail: Int? = nil, follows: Bool = false) {
        self.run = run
        self.tail = tail
        self.follows = follows
    }
}

/// A line that a run wrote, or a part of one that is long or not ended yet.
public struct LogRecord: Sendable, Equatable {
    /// RFC 3339.
    public var time: String
    public var isError: Bool
    /// The line goes on in the next record of the same stream.
    public var isPartial: Bool
    /// As they were written, without the line's end.
    public var bytes: [UInt8]

    public init(time: String, isError: Bool, isPartial: Bool, bytes: [UInt8]) {
        self.time = time
        self.isError = isError
        self.isPartial = isPartial
        self.bytes = bytes
    }
}

/// What a run has written, piece by piece, as fast as it is asked for.
///
/// Assumes: one question at a time.
public protocol LogSession: Sendable {
    /// Asks for more, of about `bytesMax` at most; `take` is called once, on any thread: with nil when all was told and the
    /// run writes nothing more, or nobody follows it.
    func next(bytesMax: Int, _ take: @escaping @Sendable ([LogRecord]?) -> Void)
    /// Nothing more is wanted; an open question is not answered.
    func close()
}
