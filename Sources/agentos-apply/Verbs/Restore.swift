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
        var lastAliveMs = agentos_boot_ms()
        repeat {
            if access("\(store)/restore.db", F_OK) != 0, isReady(session) {
                try Terminal.print("restored; the replaced database is kept in \(store)")
                return .success
            }
            let holder = LockHolder.find(paths)
            let now = agentos_boot_ms()
            if holder?.isAlive == true { lastAliveMs = now }
            let patienceMs = holder?.isManaged == true ? Self.managedMs : Self.unmanagedMs
            guard now - lastAliveMs < patienceMs else { throw ended(paths, store) }
            usleep(50_000)
        } while agentos_boot_ms() < end
        throw CommandProblem(
            .timeout, "the daemon has not come back yet, and may still read the backup; see \(paths.state)/daemon.log")
    }

    /// How long no daemon may be there until it has ended for good. It starts again as the same process; a service manager
    /// may make another one.
    private static let unmanagedMs: Int64 = 3_000
    private static let managedMs: Int64 = 30_000

    private func ended(_ paths: Paths, _ store: String) -> CommandProblem {
        let waits = access("\(store)/restore.db", F_OK) == 0
        return CommandProblem(
            .noDaemon,
            "the daemon has ended, and no other has started; agents run on. "
                + (waits
                    ? "The backup waits as \(store)/restore.db: the next start takes it, unless you remove it."
                    : "The backup was taken.")
                + " \(paths.state)/daemon.log, or the service manager's log, says why it ended.")
    }

    private func isReady(_ session: Session) -> Bool {
        var request = Client.Request("GET", "/readyz")
        request.timeoutMs = 1000
        return (try? session.client.send(request))?.isSuccess ?? false
    }
}
