import Glibc
import Synchronization

/// Ports that a program is told to take before it can say which one it took.
extension World {
    private static let given = Atomic(0)

    /// A port of this machine that nobody has and no other test is given. The kernel gives it to no connection either: it
    /// lies below those.
    package static func freePort() -> Int {
        while true {
            let number = given.wrappingAdd(1, ordering: .relaxed).newValue
            let port = 10_000 + (Int(getpid()) * 131 + number) % 22_000
            if isFree(port) { return port }
        }
    }

    private static func isFree(_ port: Int) -> Bool {
        // A program that is started meanwhile would keep it.
        let fd = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
