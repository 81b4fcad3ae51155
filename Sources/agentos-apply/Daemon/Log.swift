import CLinux
import Glibc
package import Loop
import Synchronization
import Values

/// Structured log lines on standard error: a constant message plus fields, as text or JSON.
final class Log: Sendable {
    private let module: LogModule
    private let shared: Shared

    private final class Shared: Sendable {
        let rules: Mutex<LogRules>
        init(_ rules: LogRules) { self.rules = Mutex(rules) }
    }

    init(_ settings: Settings) {
        module = .daemon
        shared = Shared(LogRules(settings))
    }

    private init(_ module: LogModule, _ shared: Shared) { (self.module, self.shared) = (module, shared) }

    /// The same log, for lines about another module.
    func about(_ module: LogModule) -> Log { Log(module, shared) }

    func use(_ settings: Settings) { shared.rules.withLock { $0 = LogRules(settings) } }

    func info(_ message: StaticString, _ fields: [(String, String)] = []) {
        write(LogLine(module, .info, message, fields))
    }

    func error(_ message: StaticString, _ fields: [(String, String)] = []) {
        write(LogLine(module, .error, message, fields))
    }

    /// For parts that know no files.
    var port: LogPort {
        LogPort(
            admits: { [shared] module, level in shared.rules.withLock { $0.admits(module, level) } },
            write: { [self] in write($0) })
    }

    private func write(_ line: LogLine) {
        let format = shared.rules.withLock { $0.admits(line.module, line.level) ? $0.format : nil }
        guard let format else { return }
        let bytes = Array((line.text(format, atMs: agentos_wall_ms()) + "\n").utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}

/// Which lines are written, and how.
package struct LogRules: Sendable {
    package let format: Settings.LogFormat
    private let level: LogLevel
    private let modules: [LogModule: LogLevel]

    package init(_ settings: Settings) {
        format = Settings.LogFormat(rawValue: settings.logFormat) ?? .text
        level = LogLevel(rawValue: settings.logLevel) ?? .info
        modules = Dictionary(settings.logModules.compactMap(Self.rule), uniquingKeysWith: { $1 })
    }

    package func admits(_ module: LogModule, _ level: LogLevel) -> Bool { level >= modules[module] ?? self.level }

    /// Reads `MODULE=LEVEL`; nil when it is none.
    static func rule(_ word: String) -> (LogModule, LogLevel)? {
        let parts = word.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let module = LogModule(rawValue: parts[0]), let level = LogLevel(rawValue: parts[1])
        else { return nil }
        return (module, level)
    }
}

extension LogLine {
    package func text(_ format: Settings.LogFormat, atMs: Int64) -> String {
        let time = Timestamp.milliseconds(atMs)
        let fields = fields + (trace.map { [("trace", $0)] } ?? [])
        switch format {
        case .json:
            let head: [(String, Node?)] = [
                ("time", .text(time)), ("level", .text(level.rawValue)), ("module", .text(module.rawValue)),
                ("message", .text("\(message)")),
            ]
            return JSONWriter.text(.map(head + fields.map { ($0.0, .text($0.1)) }))
        case .text:
            return "\(time) \(level.rawValue) \(module.rawValue): \(message)"
                + fields.map { " \($0.0)=\(JSONWriter.text(.text($0.1)))" }.joined()
        }
    }
}
