import Manifests
import Values

struct Attach: Verb {
    static let name = "attach"
    static let usage = "attach AGENT"
    static let text = "Show what a replica writes from now on, until it ends; logs show what it wrote before."
    static let operands = Operands.names(.agent)

    let namespace = NamespaceOption()
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "this replica (default: 0)") var ordinal: Int?

    func run(_ invocation: Invocation) throws -> ExitCode {
        let target = try invocation.target(usual: .agent, among: [.agent], does: "attached to")
        let session = try invocation.session()
        let path = Session.path(.agent, namespace: namespace.name, name: target.name)
        let connection = try session.upgrade(
            "\(path)/attach?stdout=true&stderr=true&ordinal=\(ordinal ?? 0)", to: "v5.channel.k8s.io", body: [])
        let streams = CommandStreams(connection, readsInput: false, isTerminal: false)
        switch streams.carry() {
        case .exited, .late:
            if let problem = streams.lost { throw problem }
            return .success
        case .failed(let why): throw CommandProblem(.failure, why)
        case .cut: throw CommandProblem(.failure, "the daemon closed the connection")
        }
    }
}
