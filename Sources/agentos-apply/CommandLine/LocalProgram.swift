import CLinux
import Glibc

/// Another program that a verb runs, with this one's own terminal, or at one end of a pipe.
final class LocalProgram {
    /// Which of its streams is ours.
    enum Pipe {
        case input, output
    }

    private var pid: pid_t = 0
    private var pipeEnd: Int32 = -1

    init(_ words: [String], pipe: Pipe? = nil) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var theirs: Int32 = -1
        if let pipe {
            var fds: [Int32] = [0, 0]
            guard agentos_close_on_exec_pipe(&fds) == 0 else {
                throw CommandProblem(.failure, "cannot make a pipe: \(String(cString: strerror(errno)))")
            }
            switch pipe {
            case .input: (theirs, pipeEnd) = (fds[0], fds[1])
            case .output: (pipeEnd, theirs) = (fds[0], fds[1])
            }
            posix_spawn_file_actions_adddup2(&actions, theirs, pipe == .input ? 0 : 1)
        }
        defer { if theirs >= 0 { close(theirs) } }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let code = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else {
            if pipeEnd >= 0 { close(pipeEnd) }
            throw CommandProblem(.invalid, "cannot run \(words[0]): \(String(cString: strerror(code)))")
        }
    }

    /// Lends the pipe, and closes it.
    func use(_ body: (Int32) throws -> Int32) throws -> Int32 {
        defer { close(pipeEnd) }
        return try body(pipeEnd)
    }

    /// Waits for its end; its exit code, or 128 + the signal.
    func end() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}
