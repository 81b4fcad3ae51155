/// How the command line ends: one table, which help and documents repeat. The daemon's own codes follow sysexits.h.
package enum ExitCode: Int32, CaseIterable, Sendable {
    case success = 0
    case failure = 1
    /// A plan, and nothing has gone wrong: something would change.
    case changes = 2
    case invalid = 3
    case noDaemon = 4
    case timeout = 5
    case definiteFailure = 6
    case conflict = 7
    case usage = 64
    /// Daemon: the store cannot be used.
    case storeFailure = 74
    /// Daemon: another one serves this state directory.
    case alreadyRunning = 75

    /// In the words of `agentos-apply help`; nil for those of the daemon.
    private var meaning: String? {
        switch self {
        case .success: "success"
        case .failure: "failure"
        case .changes: "changes (plan)"
        case .invalid: "invalid or refused (slo: a budget is spent)"
        case .noDaemon: "no daemon"
        case .timeout: "timeout"
        case .definiteFailure: "failed for good"
        case .conflict: "conflict"
        case .usage: "usage"
        case .storeFailure, .alreadyRunning: nil
        }
    }

    package static var table: String { rows.map { "\($0.code) \($0.meaning)" }.joined(separator: ", ") }

    package static var rows: [(code: Int32, meaning: String)] {
        allCases.compactMap { code in code.meaning.map { (code.rawValue, $0) } }
    }

    /// What an answer of the daemon that is no success means.
    package init(status: Int) {
        self =
            switch status {
            case 409: .conflict
            case 400, 401, 403, 413, 415, 422: .invalid
            default: .failure
            }
    }
}

/// An error that ends the command, with what to do next in its message.
package struct CommandProblem: Error, Equatable {
    package var code: ExitCode
    package var message: String

    package init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Ends the command with a code when all has been said.
struct Silent: Error { var code: ExitCode }
