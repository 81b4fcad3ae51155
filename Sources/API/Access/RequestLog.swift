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
        var line = Line(bytes: lines)
        lines = []  // it has one owner, and is not copied
        line.put("{\"time\":", Timestamp.milliseconds(agentos_wall_ms()))
        line.put(",\"trace\":", trace)
        line.put(",\"user\":", principal?.user ?? "")
        line.put(",\"via\":", (principal?.via ?? .nothing).rawValue)
        line.put(",\"method\":", method)
        line.put(",\"verb\":", asked.verb)
        switch asked.target {
        case .path(let path): line.put(",\"path\":", String(decoding: path.utf8.prefix(1024), as: UTF8.self))
        case .resource(let group, let name, let subresource, let namespace, let object):
            line.put(",\"group\":", group)
            line.put(",\"resource\":", subresource.isEmpty ? name : "\(name)/\(subresource)")
            line.put(",\"namespace\":", namespace)
            line.put(",\"name\":", object)
        }
        line.put(",\"code\":")
        line.bytes += String(code).utf8
        line.put("}\n")
        lines = line.bytes
        if lines.count > Limits.requestLogPieceBytes { return flush() }
        if isPlanned { return }
        isPlanned = true
        events.after(ms: 200) { [weak self] in self?.flush() }
    }

    private struct Line {
        var bytes: [UInt8]

        mutating func put(_ field: StaticString, _ text: String) {
            put(field)
            JSONWriter.write(text, into: &bytes)
        }

        mutating func put(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }
    }

    func flush() {
        isPlanned = false
        if lines.isEmpty { return }
        file.write(lines)
        lines = []
        lines.reserveCapacity(Limits.requestLogPieceBytes + 4096)
    }
}
