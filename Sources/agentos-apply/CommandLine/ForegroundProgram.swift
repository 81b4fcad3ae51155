import Glibc

/// A program that a verb runs with this one's own terminal.
enum ForegroundProgram {
    /// Runs it to its end; its exit code, or 128 + the signal.
    static func run(_ words: [String]) throws -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, words[0], nil, nil, &arguments, environ)
        guard code == 0 else {
            throw CommandProblem(.invalid, "cannot run \(words[0]): \(String(cString: strerror(code)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}
