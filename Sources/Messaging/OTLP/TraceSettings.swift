/// Where spans are sent, and of which traces.
public struct TraceSettings: Sendable, Equatable {
    /// `https://HOST[:PORT]/v1/traces`, or `http` on this machine.
    public var endpoint: String
    /// Lines of `NAME: VALUE`, readable by its owner alone; nil: none.
    public var headersFile: String?
    /// Of so many traces that nobody asked to be told of, between 0 and 1.
    public var ratio: Double

    public init(endpoint: String, headersFile: String?, ratio: Double) {
        (self.endpoint, self.headersFile, self.ratio) = (endpoint, headersFile, ratio)
    }

    /// What is wrong with an endpoint; nil: nothing.
    public static func mistake(_ endpoint: String) -> String? {
        guard let address = PeerAddress(endpoint), address.scheme == "https" || address.scheme == "http" else {
            return "expected https://HOST[:PORT]/v1/traces, found \"\(endpoint)\""
        }
        if address.hasUser { return "must not name a user or password: headers stand in a file" }
        if address.scheme == "http", !address.isLoopback { return "must begin with https:// for another machine" }
        return nil
    }

    /// Whether a trace is told of, by its number alone: all who have the same ratio decide alike.
    func samples(_ trace: String) -> Bool {
        if ratio >= 1 { return true }
        guard let number = UInt64(trace.suffix(14), radix: 16) else { return false }
        return Double(number) < ratio * Double(UInt64(1) << 56)
    }
}
