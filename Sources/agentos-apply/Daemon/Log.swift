import CLinux
import Glibc
import Values

/// Structured log lines on standard error: a constant message plus fields, as text or JSON.
struct Log: Sendable {
    var isJSON = false

    func info(_ message: StaticString, _ fields: [(String, String)] = []) { line("info", message, fields) }
    func error(_ message: StaticString, _ fields: [(String, String)] = []) { line("error", message, fields) }

    private func line(_ level: String, _ message: StaticString, _ fields: [(String, String)]) {
        let time = Timestamp.milliseconds(agentos_wall_ms())
        let text: String
        if isJSON {
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
