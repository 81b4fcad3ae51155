import CLinux
import Glibc
package import Values

/// The program `agentos-supervise`: how it is told what to run, and how it is started.
package struct Supervisor {
    package var path: String

    package init(path: String) { self.path = path }

    /// What it reported about a command, from the descriptor of its report.
    package static func end(reportedAt report: Int32) -> ExecutionResult {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = read(report, &buffer, buffer.count)
        let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace)
        switch words.first {
        case "exited": return .exited(words.dropFirst().first.flatMap { Int($0) } ?? 0)
        case "timeout": return .timedOut
        case "failed":
            // The step and its errno, and then words.
            let why = text.split(separator: " ", maxSplits: 3).dropFirst(3).first ?? ""
            let step = "executing the command: "
            let rest = why.hasPrefix(step) ? why.dropFirst(step.count) : why
            let message = "the command cannot be executed: \(rest.prefix { !$0.isNewline })"
            guard why.hasPrefix(step) else { return .failed(message) }
            return .unstarted(code: words.dropFirst(2).first == "\(ENOENT)" ? 127 : 126, message)
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
        if let problem = specification.problem { throw Files.Failure(code: EINVAL, what: problem) }
        // A file in memory takes all of it at once, whoever reads it when: a pipe may hold no more than a page.
        let input = try Files.memory(specification.bytes)
        defer { close(input) }
        var output: [Int32] = [-1, -1]
        guard agentos_close_on_exec_pipe(&output) == 0 else { throw Files.Failure(code: errno, what: "pipe") }
        let null = agentos_open_null()
        defer { close(null) }
        let pid = withCStrings([path] + words) { argv in
            var environment: [UnsafeMutablePointer<CChar>?] = [nil]
            return agentos_spawn(
                path, argv, &environment, directory, input, streams?.output ?? null, streams?.error ?? null,
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
