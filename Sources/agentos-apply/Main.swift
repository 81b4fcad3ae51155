import CLinux
import Glibc

@main
struct Main {
    static func main() {
        exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(_ words: [String]) -> ExitCode {
        do {
            let invocation = try Invocation(words)
            if invocation.flag("help") || invocation.verb.name == "help" {
                Terminal.print(
                    invocation.verb.name == "help" ? Verb.overview(invocation.positionals.first) : invocation.verb.help)
                return .success
            }
            return try invocation.verb.run(invocation)
        } catch let problem as CommandProblem {
            Terminal.printError(problem.message)
            return problem.code
        } catch let silent as Silent {
            return silent.code
        } catch {
            Terminal.printError("\(error)")
            return .failure
        }
    }
}

/// Stable exit codes of the command line; those of the daemon follow sysexits.h.
enum ExitCode: Int32 {
    case success = 0
    case failure = 1
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
}

/// An error that ends the command, with what to do next in its message.
struct CommandProblem: Error {
    var code: ExitCode
    var message: String

    init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}
