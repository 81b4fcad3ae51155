import CLinux
import Glibc
package import Values

/// The program `agentos-supervise`: how it is told what to run, and how it is started.
package struct Supervisor {
    /// What it reads from its standard input, format 2.
    package struct Specification {
        package var boot: String
        /// Nil: as the daemon.
        package var user: UInt32?
        package var group: UInt32?
        package var directory: String
        package var openFiles: Int64
        /// File with the filter of system calls, or empty.
        package var systemCalls: String
        /// Nil: not confined.
        package var readable: [String]?
        package var writable: [String] = []
        package var logBytes: Int
        package var logFiles: Int
        package var cgroups: [String]
        package var arguments: [String]
        package var environment: [String]

        package init(
            boot: String, user: UInt32?, group: UInt32?, directory: String, openFiles: Int64, systemCalls: String,
            readable: [String]?, writable: [String] = [], logBytes: Int, logFiles: Int, cgroups: [String],
            arguments: [String], environment: [String]
        ) {
            self.boot = boot
            self.user = user
            self.group = group
            self.directory = directory
            self.openFiles = openFiles
            self.systemCalls = systemCalls
            self.readable = readable
            self.writable = writable
            self.logBytes = logBytes
            self.logFiles = logFiles
            self.cgroups = cgroups
            self.arguments = arguments
            self.environment = environment
        }

        package var bytes: [UInt8] {
            func list(_ items: [String]) -> [String] { [String(items.count)] + items }
            var strings = ["2", boot, user.map { String($0) } ?? "-1", group.map { String($0) } ?? "-1"]
            strings.append("18")  // umask 022
            strings += [directory, String(openFiles), systemCalls, readable == nil ? "0" : "1"]
            strings += list(readable ?? []) + list(readable == nil ? [] : writable)
            strings += [String(logBytes), String(logFiles)]
            strings += list(cgroups) + list(arguments) + list(environment) + ["end"]
            var bytes: [UInt8] = []
            for text in strings {
                bytes.append(contentsOf: text.utf8)
                bytes.append(0)
            }
            return bytes
        }
    }

    package var path: String

    package init(path: String) { self.path = path }

    /// What it reported about a command, from the descriptor of its report.
    package static func end(reportedAt report: Int32) -> ExecutionResult {
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = read(report, &buffer, buffer.count)
        let words = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(whereSeparator: \.isWhitespace)
        switch words.first {
        case "exited": return .exited(words.dropFirst().first.flatMap { Int($0) } ?? 0)
        case "timeout": return .timedOut
        case "failed":
            let code = words.dropFirst(2).first.flatMap { Int32($0) } ?? 0
            return .failed("the command cannot be executed: \(String(cString: strerror(code)))")
        default: return .failed("the command's supervisor was killed")
        }
    }

    /// Starts it in a directory. Returns the descriptor of its report.
    ///
    /// - Parameter streams: descriptors 4 (read by the command), 1 and 2; nil: nothing.
    package func start(
        _ words: [String], in directory: String?, _ specification: Specification,
        streams: (input: Int32, output: Int32, error: Int32)? = nil
    ) throws(Files.Failure) -> Int32 {
        let bytes = specification.bytes
        var input: [Int32] = [-1, -1]
        var output: [Int32] = [-1, -1]
        guard agentos_close_on_exec_pipe(&input) == 0 else { throw Files.Failure(code: errno, what: "pipe") }
        defer { for fd in input where fd >= 0 { close(fd) } }
        // The whole specification fits into the pipe, so that a hanging supervisor cannot block this thread.
        if bytes.count > 65_536,
            fcntl(input[1], Int32(AGENTOS_F_SETPIPE_SZ), Int32(clamping: bytes.count)) < Int32(clamping: bytes.count)
        {
            throw Files.Failure(code: E2BIG, what: "the environment and arguments of \(bytes.count) bytes")
        }
        guard agentos_close_on_exec_pipe(&output) == 0 else { throw Files.Failure(code: errno, what: "pipe") }
        guard write(input[1], bytes, bytes.count) == bytes.count else {
            for fd in output { close(fd) }
            throw Files.Failure(code: errno, what: "pipe")
        }
        let null = agentos_open_null()
        defer { close(null) }
        let pid = withCStrings([path] + words) { argv in
            var environment: [UnsafeMutablePointer<CChar>?] = [nil]
            return agentos_spawn(
                path, argv, &environment, directory, input[0], streams?.output ?? null, streams?.error ?? null,
                output[1], streams?.input ?? -1)
        }
        let code = errno
        close(output[1])
        guard pid > 0 else {
            close(output[0])
            throw Files.Failure(code: code, what: "starting \(path)")
        }
        return output[0]
    }
}

/// The strings as a program takes them: ended by a null pointer.
package func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
