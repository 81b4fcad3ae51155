import Glibc
import Values

/// An address and a port of this machine to listen on: `127.0.0.1:6443`, `[::1]:6443`.
public struct ListenAddress: Sendable, Equatable {
    public let address: String
    public let port: UInt16

    /// Nil: it is no numeric address with a port. Port 0 is one that the kernel chooses.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = WholeNumber.read(text[text.index(after: colon)...], in: 0...Int(UInt16.max))
        else {
            return nil
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        address = String(host)
        self.port = UInt16(port)
        var four = in_addr()
        var six = in6_addr()
        let isSix = inet_pton(AF_INET6, address, &six) == 1
        guard isSix ? isBracketed : inet_pton(AF_INET, address, &four) == 1 && !isBracketed else { return nil }
    }

    init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }

    private var isSix: Bool { address.contains(":") }
    /// It stands for all addresses of the machine.
    public var isWildcard: Bool { address == "0.0.0.0" || address == "::" }
    /// As it stands in a URL.
    public var text: String { isSix ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// A listening socket, and the address with the port that it has got; nil with `errno`.
    public func listen() -> (fd: Int32, address: ListenAddress)? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &found) == 0, let found else {
            errno = EINVAL
            return nil
        }
        defer { freeaddrinfo(found) }
        let info = found.pointee
        let fd = socket(info.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return nil }
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, size)
        if isSix { setsockopt(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
        var bound = sockaddr_storage()
        var boundSize = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isBound = withUnsafeMutablePointer(to: &bound) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, info.ai_addr, info.ai_addrlen) == 0 && Glibc.listen(fd, 512) == 0
                    && getsockname(fd, $0, &boundSize) == 0
            }
        }
        guard isBound else {
            let problem = errno
            close(fd)
            errno = problem
            return nil
        }
        // The port stands at the same place in both families.
        let chosen = withUnsafeBytes(of: &bound) { UInt16($0[2]) << 8 | UInt16($0[3]) }
        return (fd, ListenAddress(address: address, port: chosen))
    }

    /// All addresses of the machine's interfaces, without scopes.
    public static func ofThisMachine() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: [String] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6 else { continue }
            let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard
                getnameinfo(address, socklen_t(size), &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if !text.contains("%") { found.append(text) }
        }
        return found
    }
}
