import Glibc

/// Where the daemon keeps its state and listens, for root and for ordinary users.
package struct Paths: Equatable, Sendable {
    package var state: String
    package var socket: String
    /// The options that lead another process to the same daemon.
    var options: [String] { ["--state-dir", state, "--socket", socket] }

    /// - Parameters:
    ///   - given: what settings say; what they do not say is at the usual place.
    package init(
        state given: String?, socket givenSocket: String?, isRoot: Bool, environment: (String) -> String?
    ) throws(CommandProblem) {
        if let given {
            state = given
        } else if isRoot {
            state = "/var/lib/agentos"
        } else if let base = environment("XDG_STATE_HOME") {
            state = "\(base)/agentos"
        } else if let home = environment("HOME") {
            state = "\(home)/.local/state/agentos"
        } else {
            throw CommandProblem(.usage, "no state directory: set HOME or give --state-dir DIR")
        }
        if let givenSocket {
            socket = givenSocket
        } else if given != nil {
            socket = "\(state)/agentos.sock"
        } else if isRoot {
            socket = "/run/agentos/agentos.sock"
        } else {
            socket = "\(environment("XDG_RUNTIME_DIR") ?? state)/agentos.sock"
        }
        if socket.utf8.count > 107 {
            throw CommandProblem(
                .usage,
                "the socket path \(socket) is longer than 107 bytes, the most that Linux allows; give --socket PATH")
        }
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getcwd(&buffer, buffer.count) != nil else { return path }
        return "\(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))/\(path)"
    }

    /// The path of this very program.
    static var program: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
