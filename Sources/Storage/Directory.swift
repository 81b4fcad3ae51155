import Glibc

/// The directory that a file is in.
enum Directory {
    static func of(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }

    /// Makes what was renamed there durable.
    static func sync(of path: String) {
        let fd = open(of(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { return }
        fsync(fd)
        close(fd)
    }

    /// Files whose path is this one with a suffix of a pattern, sorted.
    static func files(_ path: String, _ suffix: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        let literal = path.map { "*?[\\".contains($0) ? "\\\($0)" : String($0) }.joined()
        guard glob(literal + suffix, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    }
}
