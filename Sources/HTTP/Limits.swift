public import Values

extension Limits {
    public static let connectionsMax = 2048
    /// Of these, what streams without an end leave to short requests.
    public static let connectionsReserved = 64
    /// Those that come over TLS: fewer than a front takes, whose others are in their handshakes.
    public static let remoteConnectionsMax = 448
}
