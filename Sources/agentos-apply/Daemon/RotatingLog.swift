import API
import Glibc
import Machine
import Synchronization
import Values

/// Lines about requests in files of a bounded size, the oldest of which go: written on a thread of its own.
final class RotatingLog: RequestLogFile {
    private let path: String
    private let worker = Worker(name: "requests")
    private let waiting = Mutex((bytes: 0, dropped: 0))

    init(_ path: String) { self.path = path }

    func write(_ lines: [UInt8]) {
        let isTaken = waiting.withLock { waiting in
            guard waiting.bytes + lines.count <= Limits.requestLogQueueBytes else {
                waiting.dropped += lines.count
                return false
            }
            waiting.bytes += lines.count
            return true
        }
        if isTaken { worker.run { [self] in save(lines) } }
    }

    private func save(_ lines: [UInt8]) {
        var status = stat()
        if stat(path, &status) == 0, status.st_size > Limits.requestLogFileBytes { rotate() }
        let dropped = waiting.withLock { waiting in
            defer { waiting.dropped = 0 }
            waiting.bytes -= lines.count
            return waiting.dropped
        }
        let fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        let gap = dropped > 0 ? Array("{\"droppedBytes\":\(dropped)}\n".utf8) : []
        let problem = fd < 0 ? errno : Terminal.put((gap + lines)[...], to: fd)
        if fd >= 0 { close(fd) }
        // A full disk loses lines, and says so when there is room again.
        if problem != 0 { waiting.withLock { $0.dropped += dropped + lines.count } }
    }

    private func rotate() {
        for number in (1..<Limits.requestLogFiles).reversed() {
            rename(number == 1 ? path : "\(path).\(number - 1)", "\(path).\(number)")
        }
    }
}
