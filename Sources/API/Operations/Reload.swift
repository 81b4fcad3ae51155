import HTTP
import Values

extension Server {
    /// What came of reading the settings again.
    public enum Reload: Equatable, Sendable {
        /// What is wrong with them; all stays as it was.
        case refused(String)
        /// The fields that hold from now on, and those that have changed and wait for the daemon's next start.
        case read(changed: [String], atNextStart: [String])
    }

    func reload(_ call: Call) {
        onReload { outcome in
            switch outcome {
            case .refused(let problem):
                call.fail(
                    Failure(code: 422, reason: "Invalid", message: "the settings stay as they were: \(problem)"))
            case .read(let changed, let atNextStart):
                call.respond(
                    200,
                    .map([
                        ("kind", "Reload"), ("apiVersion", "agentos.dev/v1"),
                        ("changed", .list(changed.map(Node.text))),
                        ("atNextStart", .list(atNextStart.map(Node.text))),
                    ]))
            }
        }
    }
}
