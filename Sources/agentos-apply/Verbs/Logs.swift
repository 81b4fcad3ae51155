import Manifests
import Values

struct Logs: Verb {
    static let name = "logs"
    static let usage = "logs AGENT"
    static let operands = Operands.names(.agent)
    static let text = "Show what an agent wrote to its standard output and error."

    let namespace = NamespaceOption()
    @Flag("follow", short: "f", "go on as the log grows") var follows
    @Option("tail", value: "LINES", in: 0...10_000_000, "only the last lines") var tail: Int?
    @Flag("previous", short: "p", "of the run before") var isOfThePrevious
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "of this replica (default: 0)") var ordinal: Int?
    @Flag("timestamps", "with the time of each line") var hasTimestamps

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 1 else { throw invocation.usage("give one AGENT") }
        let session = try invocation.session()
        let path = Session.path(.agent, namespace: namespace.name, name: invocation.words[0])
        var request = Client.Request("GET", "\(path)/log")
        request.timeoutMs = nil
        if follows { request.query.append(("follow", "true")) }
        if isOfThePrevious { request.query.append(("previous", "true")) }
        if hasTimestamps { request.query.append(("timestamps", "true")) }
        if let tail { request.query.append(("tailLines", String(tail))) }
        if let ordinal { request.query.append(("ordinal", String(ordinal))) }
        do {
            // The agent's bytes as it wrote them: they need not be text, nor end with a line.
            let response = try session.client.receive(request) { bytes in
                try Terminal.write(Array(bytes)[...])
                return true
            }
            if !response.isSuccess { throw session.problem(response) }
        } catch let failure as Client.Failure { throw session.problem(failure) }
        return .success
    }
}
