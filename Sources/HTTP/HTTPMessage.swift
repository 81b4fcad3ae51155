/// A request that has come in a message, with its answer: what HTTP says, without a connection.
public struct HTTPMessage: Sendable {
    public var method: String
    /// Path and query, as in a request line.
    public var target: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]

    public init(method: String, target: String, headers: [(name: String, value: String)], body: [UInt8]) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// What is answered, whole.
    public struct Answer: Sendable {
        public var status: Int
        public var type: String
        public var headers: [(String, String)]
        public var body: [UInt8]

        public init(status: Int, type: String, headers: [(String, String)], body: [UInt8]) {
            self.status = status
            self.type = type
            self.headers = headers
            self.body = body
        }
    }

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}
