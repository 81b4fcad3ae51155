/// How much a line of the daemon's log matters, the least first.
public enum LogLevel: String, CaseIterable, Sendable, Comparable {
    /// What is done, one by one: for who looks for a fault.
    case debug
    case info
    /// Somebody should look at it.
    case error

    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.place < b.place }

    private var place: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .error: 2
        }
    }
}

/// The part of the daemon that a line of its log is about; each can have a level of its own.
public enum LogModule: String, CaseIterable, Sendable {
    case access, api, daemon, drivers, events, settings, sinks, store, traces
}

/// One line of the daemon's log: a constant message plus fields, none of which holds a secret.
public struct LogLine: Sendable {
    public var module: LogModule
    public var level: LogLevel
    public var message: StaticString
    public var fields: [(String, String)]
    /// What it is part of; nil: of no one request or change.
    public var trace: String?

    public init(
        _ module: LogModule, _ level: LogLevel, _ message: StaticString, _ fields: [(String, String)] = [],
        trace: String? = nil
    ) {
        (self.module, self.level, self.message, self.fields, self.trace) = (module, level, message, fields, trace)
    }

    /// The fields that every line has, in its form as JSON; `trace` where there is one.
    public static let required = ["time", "level", "module", "message"]
}

/// Where the daemon's log goes.
public struct LogPort: Sendable {
    /// Whether lines of this module and level are written: who makes many asks first.
    public let admits: @Sendable (LogModule, LogLevel) -> Bool
    public let write: @Sendable (LogLine) -> Void

    public init(
        admits: @escaping @Sendable (LogModule, LogLevel) -> Bool, write: @escaping @Sendable (LogLine) -> Void
    ) {
        (self.admits, self.write) = (admits, write)
    }

    public static let none = LogPort(admits: { _, _ in false }, write: { _ in })

    /// Makes a line only when it is written.
    public func debug(_ module: LogModule, _ line: @autoclosure () -> LogLine) {
        if admits(module, .debug) { write(line()) }
    }
}
