import Values

/// The address of another machine's server, `scheme://host[:port][/path]`, taken apart to be judged.
struct PeerAddress {
    var scheme: String
    var host: String
    var hasUser: Bool
    /// The text after the host and port.
    var rest: String

    /// Nil: it is no such address.
    init?(_ text: String) {
        guard let colon = text.firstRange(of: "://"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            text.utf8.count <= 2048
        else { return nil }
        scheme = text[..<colon.lowerBound].lowercased()
        let after = text[colon.upperBound...]
        let authority = after.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        rest = String(after.dropFirst(authority.count))
        let parts = authority.split(separator: "@", omittingEmptySubsequences: false)
        hasUser = parts.count > 1
        guard let place = parts.last, let host = Self.host(place), !scheme.isEmpty else { return nil }
        self.host = host
    }

    /// The host of `host`, `host:port` or `[address]:port`; nil when the port is none.
    private static func host(_ place: Substring) -> String? {
        let name: Substring
        let port: Substring
        if place.hasPrefix("[") {
            guard let end = place.firstIndex(of: "]") else { return nil }
            name = place[place.index(after: place.startIndex)..<end]
            port = place[place.index(after: end)...]
        } else {
            name = place.prefix { $0 != ":" }
            port = place.dropFirst(name.count)
        }
        let isPort = port.isEmpty || port.first == ":" && WholeNumber.read(port.dropFirst(), in: 1...65_535) != nil
        return name.isEmpty || !isPort ? nil : String(name)
    }

    /// It is this machine: nobody else hears what is said.
    var isLoopback: Bool {
        let name = host.lowercased()
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = octets.count == 4 && octets.allSatisfy { WholeNumber.read($0, in: 0...255) != nil }
        return name == "localhost" || name == "::1" || isAddress && octets[0] == "127"
    }
}
