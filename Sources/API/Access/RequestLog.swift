import CLinux
import HTTP
import Machine
import Reconciler
import Values

/// Where lines about requests go.
public protocol RequestLogFile: Sendable {
    /// Takes whole lines. Never waits: what cannot be written is counted.
    func write(_ lines: [UInt8])
}

/// One line of JSON for each request that was answered: who asked for what, and what came of it.
///
/// Lines are gathered and handed over from time to time; the loop never waits for a disk.
final class RequestLog {
    private let file: any RequestLogFile
    private let events: EventLoop
    private var lines: [UInt8] = []
    private var isPlanned = false

    init(_ file: any RequestLogFile, _ events: EventLoop) {
        self.file = file
        self.events = events
    }

    func note(_ principal: Principal?, _ asked: Attributes, method: String, trace: String, code: Int) {
        let via = principal?.via ?? .nothing
        put("{\"time\":", Timestamp.milliseconds(agentos_wall_ms()))
        put(",\"trace\":", trace)
        put(",\"user\":", principal?.user ?? "")
        put(",\"via\":", via.rawValue)
        put(",\"method\":", method)
        put(",\"verb\":", asked.verb)
        switch asked.target {
        case .path(let path): put(",\"path\":", String(path.prefix(1024)))
        case .resource(let group, let name, let subresource, let namespace, let object):
            put(",\"group\":", group)
            put(",\"resource\":", subresource.isEmpty ? name : "\(name)/\(subresource)")
            put(",\"namespace\":", namespace)
            put(",\"name\":", object)
        }
        lines += ",\"code\":\(code)}\n".utf8
        if lines.count > Limits.requestLogPieceBytes { return flush() }
        if isPlanned { return }
        isPlanned = true
        events.after(ms: 200) { [weak self] in self?.flush() }
    }

    private func put(_ field: StaticString, _ text: String) {
        field.withUTF8Buffer { lines.append(contentsOf: $0) }
        JSONWriter.write(.text(text), into: &lines)
    }

    func flush() {
        isPlanned = false
        if lines.isEmpty { return }
        file.write(lines)
        lines = []
    }
}
