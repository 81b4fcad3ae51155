import Glibc
import Manifests
import Values

/// The version of this program.
let programVersion = "0.1.0"

func versionVerb(_ invocation: Invocation) throws -> ExitCode {
    Terminal.print("agentos-apply \(programVersion)")
    let session = try Session(invocation)
    let response = session.client.send(Client.Request(method: "GET", path: "/version"), timeoutMs: 5000)
    Terminal.print("daemon \(response.isSuccess ? response.node?["agentos"]?.string ?? "unknown" : "not running")")
    return .success
}

func backupVerb(_ invocation: Invocation) throws -> ExitCode {
    guard invocation.positionals.count == 1 else { throw invocation.usage("give one FILE") }
    let target = invocation.positionals[0]
    let session = try Session(invocation)
    guard let path = try session.send("POST", "/apis/agentos.dev/v1/backup", body: []).node?["path"]?.string else {
        return .failure
    }
    defer { unlink(path) }
    try LocalFile.copy(path, to: target)
    Terminal.print("backup written to \(target); it holds the values of Secrets")
    return .success
}

func restoreVerb(_ invocation: Invocation) throws -> ExitCode {
    guard invocation.positionals.count == 1 else { throw invocation.usage("give one FILE") }
    let session = try Session(invocation)
    let store = "\(session.paths.state)/store"
    guard LocalFile.isDirectory(store) else {
        throw CommandProblem(
            .failure, "\(store) is not there: start the daemon once with 'agentos-apply daemon start', then restore")
    }
    // What SQLite left beside a file that waited before belongs to that one.
    for suffix in ["-journal", "-wal", "-shm"] { unlink("\(store)/restore.db\(suffix)") }
    try LocalFile.copy(invocation.positionals[0], to: "\(store)/restore.db")
    guard session.isAnswered else {
        Terminal.print("the backup takes effect when the daemon starts")
        return .success
    }
    do {
        _ = try session.send("POST", "/apis/agentos.dev/v1/restore", body: [])
    } catch {
        unlink("\(store)/restore.db")
        throw error
    }
    // The daemon restarts; it is back when it answers and the file has been taken.
    for _ in 0..<200 {
        if access("\(store)/restore.db", F_OK) != 0,
            session.client.send(Client.Request(method: "GET", path: "/readyz"), timeoutMs: 1000).isSuccess
        {
            Terminal.print("restored; the replaced database is kept in \(store)")
            return .success
        }
        usleep(50_000)
    }
    throw CommandProblem(.timeout, "the daemon did not come back; see \(session.paths.state)/daemon.log")
}

func outboxVerb(_ invocation: Invocation) throws -> ExitCode {
    let session = try Session(invocation)
    let path = "/apis/agentos.dev/v1/outbox"
    let words = invocation.positionals
    switch (words.first ?? "list", words.count) {
    case ("list", 0...1):
        let rows =
            try session.send("GET", path, query: invocation.flag("all") ? [("all", "true")] : []).node?["items"]?.list
            ?? []
        if rows.isEmpty { Terminal.note(invocation.flag("all") ? "No events." : "No event is stuck.") }
        let table = rows.map { row in
            [
                String(row["position"]?.int ?? 0), row["state"]?.string ?? "", String(row["attempts"]?.int ?? 0),
                row["event_type"]?.string ?? "", row[path: "event", "object", "name"]?.string ?? "",
                row["error"]?.string ?? "",
            ]
        }
        if !rows.isEmpty {
            Terminal.print(Terminal.table(["POSITION", "STATE", "ATTEMPTS", "TYPE", "OBJECT", "ERROR"], table))
        }
    case ("show", 2):
        let rows = try session.send("GET", "\(path)/\(Percent.encode(words[1]))").node?["items"]?.list ?? []
        for row in rows { Terminal.print(YAMLWriter.text(row)) }
    case ("replay", 2), ("skip", 2):
        _ = try session.send("POST", "\(path)/\(Percent.encode(words[1]))/\(words[0])", body: [])
        Terminal.print("event \(words[1]) \(words[0] == "replay" ? "is delivered again" : "is skipped")")
    default: throw invocation.usage("expected list, show N, replay N or skip N")
    }
    return .success
}
