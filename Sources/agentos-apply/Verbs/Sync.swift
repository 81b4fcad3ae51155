import Glibc
import Manifests
import Values

/// Reads Sources now and says what came of it.
func syncVerb(_ invocation: Invocation) throws -> ExitCode {
    guard !invocation.positionals.isEmpty else { throw invocation.usage("give the NAME of a Source") }
    let session = try Session(invocation)
    let namespace = invocation.value("namespace") ?? "default"
    let timeoutMs = try invocation.milliseconds("timeout", default: 300_000)
    var worst = ExitCode.success
    for name in invocation.positionals {
        let path = Session.path(.source, namespace: namespace, name: name)
        let query = invocation.flag("force") ? [("force", "true")] : []
        let response = session.client.send(
            Client.Request(method: "POST", path: "\(path)/sync", query: query), timeoutMs: timeoutMs)
        do { try session.check(response) } catch let problem as CommandProblem where problem.code != .noDaemon {
            Terminal.printError(problem.message)
            worst = problem.code
            continue
        }
        let status = response.node?["status"]
        let synced = status?["conditions"]?.list?.first { $0["type"]?.string == "Synced" }
        if synced?["status"]?.string == "True" {
            Terminal.print(
                "source.agentos.dev/\(name) synced: \(status?["declared"]?.int ?? 0) objects at \(status?["revision"]?.string ?? "")"
            )
        } else {
            Terminal.printError(
                "source.agentos.dev/\(name): \(synced?["reason"]?.string ?? "not synced"): \(synced?["message"]?.string ?? "")"
            )
            worst = .failure
        }
    }
    return worst
}
