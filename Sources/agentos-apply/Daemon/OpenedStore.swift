import Machine
import Messaging
import Planner
import Reconciler
import Storage
import Values

/// The journal and the store of a daemon, as they were found: open, compared, and with what they hold.
struct OpenedStore {
    let journal: Journal
    let store: SQLiteStore
    let state: EngineState

    /// Opens the journal and the store, after a restore where one waits, and compares them.
    init(_ paths: Paths, _ log: Log, nowMs: Int64, keyring: any SecretKeyring) throws {
        let log = log.about(.store)
        let journal: Journal
        do throws(SinkFailure) {
            journal = try Journal.open("\(paths.state)/journal") { problem in
                log.error("the event journal is damaged", [("problem", problem)])
            }
        } catch {
            throw CommandProblem(.storeFailure, error.words)
        }
        let (store, loaded) = try Self.openStore(paths, log, journal, nowMs: nowMs, keyring)
        var state = loaded
        // A reader is never told of other events at an offset that it has passed.
        let passed =
            (state.consumers.values.filter { !$0.isExpired }.map(\.journalOffset) + state.sinks.values.map(\.offset))
            .max() ?? 0
        do throws(SinkFailure) { try journal.goOn(at: passed) } catch {
            throw CommandProblem(.storeFailure, error.words)
        }
        state.journalEnd = journal.end
        (self.journal, self.store, self.state) = (journal, store, state)
    }

    private static func openStore(
        _ paths: Paths, _ log: Log, _ journal: Journal, nowMs: Int64, _ keyring: any SecretKeyring
    ) throws -> (SQLiteStore, EngineState) {
        let path = "\(paths.state)/store/agentos.db"
        do throws(StoreFailure) {
            if let kept = try Storage.Restore.takeOver(
                waiting: "\(paths.state)/store/restore.db", database: path, nowMs: nowMs, journal: journal,
                keyring: keyring)
            {
                log.info("database restored", [("replaced", kept)])
            }
            var random = SystemRandomNumberGenerator()
            let freshID = UID(high: random.next(), low: random.next()).hex
            let store = try SQLiteStore.open(
                path, freshID: freshID, nowMs: nowMs, journal: journal, keyring: keyring)
            let published = try store.publishedPosition()
            if published > journal.lastPosition {
                log.error(
                    "events that were delivered are missing in the journal",
                    [("after", String(journal.lastPosition)), ("up to", String(published))])
            }
            return (store, try store.load())
        } catch {
            throw CommandProblem(.storeFailure, error.words)
        }
    }
}
