/// Where the daemon is reached, and as whom.
package enum Endpoint: Equatable, Sendable {
    /// A unix socket of this machine; the kernel says who asks.
    case socket(String)
    case server(RemoteDaemon)

    /// In messages.
    package var name: String {
        switch self {
        case .socket(let path): path
        case .server(let server): server.url
        }
    }
}

extension Endpoint {
    /// What a request on a connection says of the server, of the path before all others, and of who asks.
    package var host: String {
        switch self {
        case .socket: "localhost"
        case .server(let server): server.host
        }
    }
    package var prefix: String {
        switch self {
        case .socket: ""
        case .server(let server): server.prefix
        }
    }
    package var headers: [String] {
        switch self {
        case .socket: []
        case .server(let server): server.headers
        }
    }
}

/// A daemon that listens for others, over TLS.
package struct RemoteDaemon: Equatable, Sendable {
    /// `https://HOST:PORT`, and what stands before all paths.
    package let url: String
    /// `HOST:PORT`, and the path before all others.
    let host: String
    let prefix: String
    /// Which entry of which file says all this.
    package let place: String
    /// Certificates of authorities as PEM; nil: those that this machine trusts.
    package var trusted: [UInt8]?
    /// Who asks, as PEM: the certificate with the key, a token, or both; nothing: nobody in particular.
    package var certificate: [UInt8]?
    package var key: [UInt8]?
    package var token: String?

    /// Nil when the text is no address of a server that speaks TLS.
    package init?(_ text: String, place: String) {
        guard text.hasPrefix("https://"), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        let rest = text.dropFirst("https://".count)
        let host = rest.prefix { $0 != "/" }
        guard !host.isEmpty, !host.hasPrefix(":"), !rest.contains(where: { "@?#\\\"<>%".contains($0) }) else {
            return nil
        }
        var prefix = rest.dropFirst(host.count)
        while prefix.hasSuffix("/") { prefix = prefix.dropLast() }
        self.host = String(host)
        self.prefix = String(prefix)
        self.place = place
        url = "https://\(host)\(prefix)"
    }

    /// What each request says of who asks.
    var headers: [String] { token.map { ["Authorization: Bearer \($0)"] } ?? [] }
}
