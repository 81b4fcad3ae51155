import HTTPClient
import Manifests

/// Reads Sources now and says what came of it.
struct Sync: Verb {
    static let name = "sync"
    static let usage = "sync NAME…"
    static let operands = Operands.names(.source)
    static let text = "Read Sources and apply what they declare now."

    let namespace = NamespaceOption()
    let timeout = TimeoutOption()
    @Flag("force", "delete what is no longer declared, however much it is") var isForced

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard !invocation.words.isEmpty else { throw invocation.usage("give the NAME of a Source") }
        let targets = try invocation.targets(invocation.words, usual: .source, among: [.source], does: "synced")
        let session = try invocation.session()
        var worst = ExitCode.success
        for name in targets.map(\.name) {
            let code = try sync(name, session)
            if code != .success { worst = code }
        }
        return worst
    }

    private func sync(_ name: String, _ session: Session) throws -> ExitCode {
        let path = Session.path(.source, namespace: namespace.name, name: name)
        var request = Client.Request("POST", "\(path)/sync", query: isForced ? [("force", "true")] : [])
        request.timeoutMs = timeout.ms
        let response: Client.Response
        do throws(Client.Failure) { response = try session.client.send(request) } catch {
            guard case .late = error else { throw session.problem(error) }
            Terminal.printError(
                "timed out waiting for the sync of source.agentos.dev/\(name), which goes on; see 'agentos-apply describe source \(name) -n \(namespace.name)'"
            )
            return .timeout
        }
        guard response.isSuccess else {
            let problem = session.problem(response)
            Terminal.printError(problem.message)
            return problem.code
        }
        let source = SourceView(ObjectView(try session.node(response)))
        let synced = source.synced
        if synced?.isTrue == true {
            try Terminal.print(
                "source.agentos.dev/\(name) synced: \(source.declared) objects at \(source.revision ?? "")".printable)
            return .success
        }
        Terminal.printError(
            "source.agentos.dev/\(name): \(synced?.reason ?? "not synced"): \(synced?.message ?? "")")
        return .failure
    }
}
