import CLinux
import Glibc
import Synchronization
import Values

/// Structured log lines on standard error: a constant message plus fields, as text or JSON.
final class Log: Sendable {
    private let format: Mutex<Settings.LogFormat>

    init(_ settings: Settings) { format = Mutex(settings.format) }

    func use(_ settings: Settings) { format.withLock { $0 = settings.format } }

    func info(_ message: StaticString, _ fields: [(String, String)] = []) { line("info", message, fields) }
    func error(_ message: StaticString, _ fields: [(String, String)] = []) { line("error", message, fields) }

    private func line(_ level: String, _ message: StaticString, _ fields: [(String, String)]) {
        let time = Timestamp.milliseconds(agentos_wall_ms())
        let text: String
        if format.withLock({ $0 }) == .json {
            let head: [(String, Node?)] = [
                ("time", .text(time)), ("level", .text(level)), ("message", .text("\(message)")),
            ]
            text = JSONWriter.text(.map(head + fields.map { ($0.0, .text($0.1)) }))
        } else {
            text = "\(time) \(level) \(message)" + fields.map { " \($0.0)=\(JSONWriter.text(.text($0.1)))" }.joined()
        }
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}

extension Settings {
    fileprivate var format: LogFormat { LogFormat(rawValue: logFormat) ?? .text }
}
