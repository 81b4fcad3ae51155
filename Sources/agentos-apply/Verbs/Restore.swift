import CLinux
import Glibc
import HTTPClient
import Values

struct Restore: Verb {
    static let name = "restore"
    static let usage = "restore FILE"
    static let doesHarm = true
    static let operands = Operands.files
    static let text = "Go back to a backup; the replaced database is kept."

    let timeout = TimeoutOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 1 else { throw invocation.usage("give one FILE") }
        let paths = try invocation.localPaths()
        let session = Session(paths)
        let store = "\(paths.state)/store"
        guard LocalFile.isDirectory(store) else {
            throw CommandProblem(
                .failure, "\(store) is not there: start the daemon once with 'agentos-apply daemon start', then restore"
            )
        }
        // What SQLite left beside a file that waited before belongs to that one.
        for suffix in ["-journal", "-wal", "-shm"] { unlink("\(store)/restore.db\(suffix)") }
        try LocalFile.copy(invocation.words[0], to: "\(store)/restore.db")
        switch session.presence {
        case .alive: break
        case .absent:
            try Terminal.print("the backup takes effect when the daemon starts")
            return .success
        case .unusable(let problem):
            unlink("\(store)/restore.db")
            throw problem
        }
        do {
            _ = try session.send(Client.Request("POST", "/apis/agentos.dev/v1/restore", body: []))
        } catch {
            unlink("\(store)/restore.db")
            throw error
        }
        // The daemon restarts; it is back when it answers and the file has been taken.
        let end = agentos_boot_ms().addingSaturated(timeout.ms)
        repeat {
            if access("\(store)/restore.db", F_OK) != 0, isReady(session) {
                try Terminal.print("restored; the replaced database is kept in \(store)")
                return .success
            }
            usleep(50_000)
        } while agentos_boot_ms() < end
        throw CommandProblem(
            .timeout, "the daemon has not come back yet, and may still read the backup; see \(paths.state)/daemon.log")
    }

    private func isReady(_ session: Session) -> Bool {
        var request = Client.Request("GET", "/readyz")
        request.timeoutMs = 1000
        return (try? session.client.send(request))?.isSuccess ?? false
    }
}
