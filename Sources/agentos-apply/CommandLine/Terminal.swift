import CLinux
import Glibc

/// What the user sees.
enum Terminal {
    static let isInteractive = isatty(1) == 1
    static let hasColor =
        isInteractive && getenv("NO_COLOR") == nil && getenv("TERM").map { String(cString: $0) } != "dumb"

    /// Columns of the terminal; nil elsewhere.
    static var columns: Int? { window.map { max(20, $0.columns) } }
    static var rows: Int? { window?.rows }

    private static var window: (columns: Int, rows: Int)? {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        guard isInteractive, agentos_get_window(1, &columns, &rows) == 0, columns > 0, rows > 0 else { return nil }
        return (Int(columns), Int(rows))
    }

    /// Puts something that takes no output in the place of standard streams that are closed, so that nothing which is
    /// opened later is written to by mistake.
    static func reserve() {
        for fd in Int32(0)...2 where fcntl(fd, F_GETFD) < 0 { _ = open("/dev/null", O_RDONLY) }
    }

    /// Throws when standard output does not take everything: what is lost is never a success.
    static func print(_ text: String) throws {
        try write(Array((text.hasSuffix("\n") ? text : text + "\n").utf8)[...])
    }

    static func write(_ bytes: ArraySlice<UInt8>) throws {
        let problem = Self.put(bytes, to: 1)
        if problem != 0 {
            throw CommandProblem(.failure, "cannot write standard output: \(String(cString: strerror(problem)))")
        }
    }

    /// Writes everything, also to a pipe that does not block; the error number when that cannot be done.
    static func put(_ bytes: ArraySlice<UInt8>, to fd: Int32) -> Int32 {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var ready = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    static func printError(_ text: String) { note("agentos-apply: \(text)") }

    /// A note for people, beside the result. What it says may come from anybody.
    static func note(_ text: String) {
        let text = text.printableLines
        _ = put(Array((text.hasSuffix("\n") ? text : text + "\n").utf8)[...], to: 2)
    }

    /// Replaces the current line on a terminal; nothing elsewhere.
    static func live(_ text: String) {
        guard isInteractive else { return }
        // A line that wraps would stay.
        let text = text.prefix((columns ?? 80) - 1)
        _ = put(Array("\r\u{1b}[K\(text)".utf8)[...], to: 1)
    }
}
