package import Glibc
import Testing

/// What the kernel tells of processes and files.
extension World {
    package static func processes() -> [pid_t] { names("/proc").compactMap { pid_t($0) } }

    package static func commandLine(of pid: pid_t) -> String { read("/proc/\(pid)/cmdline").replacing("\0", with: " ") }
    package static func environment(of pid: pid_t) -> String { read("/proc/\(pid)/environ") }
    package static func isAlive(_ pid: pid_t) -> Bool {
        guard pid > 0, let state = stat(of: pid).first else { return false }
        return state != "Z" && state != "X"
    }

    /// Sends a signal to one process. A process that is not there fails its test: to the kernel, 0 and -1 mean the whole
    /// group of the tests, and everything on the machine.
    @discardableResult
    package static func kill(_ pid: pid_t, _ signal: Int32) -> Int32 {
        guard pid > 1 else {
            Issue.record("no process \(pid) can be signalled")
            return -1
        }
        return Glibc.kill(pid, signal)
    }

    package static func parent(of pid: pid_t) -> pid_t { stat(of: pid).dropFirst().first.flatMap { pid_t($0) } ?? -1 }

    package static func belongs(_ pid: pid_t, to directory: String) -> Bool {
        environment(of: pid).contains(directory) || commandLine(of: pid).contains(directory)
            || openPath(pid, "cwd").hasPrefix(directory)
    }

    /// The fields of /proc/PID/stat after the name: state, parent, …
    package static func stat(of pid: pid_t) -> [Substring] {
        let text = read("/proc/\(pid)/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// Ticks of processor time that a process and all below it have used so far.
    package static func ticks(ofTree root: pid_t) -> Int {
        var parents: [pid_t: pid_t] = [:]
        var used: [pid_t: Int] = [:]
        for pid in names("/proc").compactMap({ pid_t($0) }) {
            let fields = stat(of: pid)
            guard fields.count > 14, let parent = pid_t(fields[1]) else { continue }
            parents[pid] = parent
            used[pid] = fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) }
        }
        func isBelow(_ pid: pid_t) -> Bool {
            var next = pid
            while next != root {
                guard let parent = parents[next], parent > 1 else { return false }
                next = parent
            }
            return true
        }
        return used.filter { isBelow($0.key) }.reduce(0) { $0 + $1.value }
    }

    package static func openPath(_ pid: pid_t, _ what: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/\(what)", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Processes of this machine that have a text in their command line; others' tests may have such, too.
    package static func processes(with text: String) -> [pid_t] {
        processes().filter { $0 != getpid() && commandLine(of: $0).contains(text) && isAlive($0) }
    }

    package static func names(_ directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var result: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result.sorted()
    }

    package static func bytes(_ path: String) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return [] }
        defer { Glibc.close(fd) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            guard count > 0 else { return result }
            result += chunk[..<count]
        }
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
    package static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
    package static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    package static func read(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

    /// All files below a directory.
    package static func files(_ directory: String) -> [String] {
        names(directory).flatMap { name -> [String] in
            var status = Glibc.stat()
            let path = "\(directory)/\(name)"
            guard lstat(path, &status) == 0 else { return [] }
            return status.st_mode & S_IFMT == S_IFDIR ? files(path) : [path]
        }
    }
}
