import CLinux
import Glibc
import Manifests
import Values

struct Exec: Verb {
    static let name = "exec"
    static let usage = "exec [-i] [-t] AGENT [--] COMMAND [ARGUMENT…]"
    static let text = "Run a command where an agent runs: as its user, in its isolation, within its limits."
    static let wordsBeforeCommand: Int? = 1
    static let operands = Operands.names(.agent)

    let namespace = NamespaceOption()
    @Flag("stdin", short: "i", "pass on standard input") var readsInput
    @Flag("tty", short: "t", "with a terminal; implies -i") var isTerminal
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "of this replica (default: 0)") var ordinal: Int?
    @Option("timeout", value: "TIME", "kill it after so long, such as 30s (default: no limit)") var timeout: Span?

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count >= 2 else { throw invocation.usage("give an AGENT and a COMMAND") }
        if isTerminal, isatty(0) != 1 {
            throw invocation.usage("-t needs a terminal as standard input; leave it out for pipes and files")
        }
        let timeoutMs = timeout?.ms ?? 0
        let body = Node.map([
            ("command", .list(invocation.words.dropFirst().map(Node.text))), ("ordinal", .number(ordinal ?? 0)),
            ("timeoutSeconds", .number(timeoutMs / 1000 + (timeoutMs % 1000 > 0 ? 1 : 0))),
            ("terminal", Node(.bool(isTerminal))), ("stdin", Node(.bool(readsInput || isTerminal))),
        ])
        let target = try invocation.targets(
            [invocation.words[0]], usual: .agent, among: [.agent], does: "where a command runs")[0]
        let session = try invocation.session()
        let path = Session.path(.agent, namespace: namespace.name, name: target.name)
        let connection = try session.upgrade("\(path)/exec", to: "v5.channel.k8s.io", body: JSONWriter.bytes(body))
        let streams = CommandStreams(connection, readsInput: readsInput || isTerminal, isTerminal: isTerminal)
        return try end(streams.carry(), streams, timeoutMs)
    }

    private func end(_ end: CommandStreams.End, _ streams: CommandStreams, _ timeoutMs: Int64) throws -> ExitCode {
        switch end {
        case .exited(let code):
            // The command's own exit code, whatever it is, unless it would say that all is well.
            guard code == 0, let problem = streams.lost else { exit(code) }
            throw problem
        case .late: throw CommandProblem(.timeout, "the command was killed after \(timeoutMs) ms")
        case .failed(let why): throw CommandProblem(.failure, why)
        case .cut: throw CommandProblem(.failure, "the daemon closed the connection; the command was ended")
        }
    }
}
