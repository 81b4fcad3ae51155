import Glibc

@main
struct Main {
    static func main() {
        Terminal.reserve()
        let code = run(Array(CommandLine.arguments.dropFirst()))
        // Threads of libraries may be at work: nothing is taken apart under their hands.
        fflush(nil)
        _exit(code.rawValue)
    }

    private static func run(_ words: [String]) -> ExitCode {
        do {
            var invocation = try Invocation(words)
            if invocation.wantsHelp {
                try Terminal.print(invocation.helpText)
                return .success
            }
            try invocation.findServer()
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
