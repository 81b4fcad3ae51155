import Values

/// A command's program, in the words of the runtimes of containers.
enum ContainerProgram {
    /// Tells a program that is not there, or that cannot be executed, from other failures.
    ///
    /// Caveat: runtimes answer with words alone; what is not recognised stays a failure.
    static func end(_ result: ExecutionResult) -> ExecutionResult {
        guard case .failed(let why) = result else { return result }
        if absence.contains(where: why.contains) { return .unstarted(code: 127, why) }
        if obstacles.contains(where: why.contains) { return .unstarted(code: 126, why) }
        return result
    }

    private static let absence = ["no such file or directory", "executable file not found", "not found in $PATH"]
    private static let obstacles = ["permission denied", "exec format error", "is a directory"]
}
