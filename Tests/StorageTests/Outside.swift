import Glibc
import Testing

/// What others do to the files of a store: operators with their tools, and accidents.
enum Outside {
    static let schemas = "\(#filePath.prefix(#filePath.count - "Outside.swift".count))Schemas"

    /// Runs a program; its exit code, or 128 and the signal.
    static func run(_ words: [String], quiet: Bool = false) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for text in arguments { free(text) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if quiet { posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) }
        var pid: pid_t = 0
        guard posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ) == 0 else { return -1 }
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { return -1 }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    /// Runs a command of `Schemas/databases.py`.
    static func databases(_ words: [String]) -> Int32 { run(["python3", "\(schemas)/databases.py"] + words) }

    /// Runs SQL on a database; false when it is refused. What SQL allows and this program would not write is to be found
    /// by other means than checksums: those are brought up to date.
    static func change(_ path: String, _ sql: String, seals: Bool = true) -> Bool {
        let code = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2]); db.commit()"
        guard run(["python3", "-c", code, path, sql], quiet: true) == 0 else { return false }
        return !seals || databases(["seal", path]) == 0
    }

    static func size(_ path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    static func flip(_ path: String, at offset: Int, bit: Int) {
        let fd = open(path, O_RDWR)
        var byte: UInt8 = 0
        #expect(pread(fd, &byte, 1, off_t(offset)) == 1)
        byte ^= 1 << UInt8(bit)
        #expect(pwrite(fd, &byte, 1, off_t(offset)) == 1)
        close(fd)
    }

    /// Where a text stands in a file.
    static func find(_ text: String, in path: String) -> Int? {
        let fd = open(path, O_RDONLY)
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: size(path) ?? 0)
        guard pread(fd, &bytes, bytes.count, 0) == bytes.count else { return nil }
        return bytes.firstRange(of: Array(text.utf8))?.lowerBound
    }

    /// Changes bytes of a file in place.
    static func overwrite(_ path: String, at offset: Int, _ bytes: [UInt8]) {
        let fd = open(path, O_WRONLY)
        #expect(pwrite(fd, bytes, bytes.count, off_t(offset)) == bytes.count)
        close(fd)
    }
}

/// A directory that is gone after the test.
func inDirectory(_ body: (String) throws -> Void) rethrows {
    var template = Array("/tmp/agentos-store.XXXXXX".utf8CString)
    let path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/agentos-store"
    defer { _ = Outside.run(["rm", "-rf", path]) }
    try body(path)
}
