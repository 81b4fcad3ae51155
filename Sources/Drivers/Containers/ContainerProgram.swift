package import Values

/// A command's program, in the words of the runtimes of containers.
package enum ContainerProgram {
    /// Tells a program that is not there, or that cannot be executed, from other failures.
    ///
    /// Caveat: runtimes answer with words alone; what is not exactly what they say of a program stays a failure.
    package static func end(_ result: ExecutionResult, of command: String) -> ExecutionResult {
        guard case .failed(let why) = result, let reason = reason(in: why, of: command) else { return result }
        if absence.contains(reason) { return .unstarted(code: 127, why) }
        if obstacles.contains(reason) { return .unstarted(code: 126, why) }
        return result
    }

    private static let absence = ["no such file or directory", "executable file not found in $PATH"]
    private static let obstacles = ["permission denied", "exec format error", "is a directory"]

    /// What comes before the reason: runc names the command, runsc what it found for it.
    private static func beginnings(_ command: String) -> [String] {
        [
            "exec failed: unable to start container process: exec: \"\(command)\": ",
            "exec failed: unable to start container process: exec \(command): ",
            "\" in sandbox: error finding executable \"\(command)\" in PATH [", "\" in sandbox: failed to load ",
        ]
    }

    private static func reason(in why: String, of command: String) -> String? {
        // containerd appends the code of an error that has none.
        let words = why.hasSuffix(": unknown") ? String(why.dropLast(": unknown".count)) : why
        for beginning in beginnings(command) {
            guard let end = words.ranges(of: beginning).last?.upperBound else { continue }
            return words[end...].split(separator: ": ").last.map(String.init)
        }
        return nil
    }
}
