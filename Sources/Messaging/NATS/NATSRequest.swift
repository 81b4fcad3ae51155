/// A request that has come over NATS. It is answered once.
public struct NATSRequest: Sendable {
    /// That the subject names; nil: the subject of all namespaces.
    public var namespace: String?
    /// Those of the message that were asked for.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// When it came, in milliseconds since the machine has started.
    public var takenMs: Int64
    /// In so many milliseconds it is to be answered.
    public var timeoutMs: Int64
    /// Bytes that the body of the answer may have.
    public var answerBytesMax: Int
    /// Sends the answer; never waits. To be called once, from any thread.
    public var answer: @Sendable (NATSAnswer) -> Void
}

/// What is answered to a request.
public struct NATSAnswer: Sendable {
    /// As in HTTP.
    public var code: Int
    public var headers: [(String, String)]
    public var body: [UInt8]

    public init(code: Int, headers: [(String, String)], body: [UInt8]) {
        self.code = code
        self.headers = headers
        self.body = body
    }
}

/// How requests are taken.
public struct NATSRequestRule: Sendable {
    /// Who takes them together: each request goes to one of them.
    public var group: String
    /// Headers that are handed on.
    public var headerNames: [String]
    /// Requests that wait for their answers at a time, and bytes of them together.
    public var openMax: Int
    public var bytesMax: Int
    /// What those are told that find no room.
    public var noRoom: NATSAnswer

    public init(group: String, headerNames: [String], openMax: Int, bytesMax: Int, noRoom: NATSAnswer) {
        self.group = group
        self.headerNames = headerNames
        self.openMax = openMax
        self.bytesMax = bytesMax
        self.noRoom = noRoom
    }
}
