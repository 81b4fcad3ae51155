import Machine
public import Manifests
public import Planner
public import Reconciler
import Values

/// Reads Sources on a thread of its own: at once when the kernel tells of a change, and at intervals whatever it tells.
public struct SourceWatcher: SourceReader {
    /// What the daemon allows to Sources, and where their clones lie.
    public struct Settings: Sendable {
        /// Directories below which a Source may name a path.
        public var paths: [String]
        /// Directories below which a Secret may name a file.
        public var secretPaths: [String]
        /// Variables of the daemon that a Secret may name.
        public var secretVariables: Set<String>
        /// The drivers that declared agents may name.
        public var drivers: DriverTable
        /// The daemon's state directory: clones lie in `sources` below it.
        public var state: String
        /// Path of the program `agentos-supervise`.
        public var supervisor: String

        public init(
            paths: [String], secretPaths: [String], secretVariables: Set<String>, drivers: DriverTable, state: String,
            supervisor: String
        ) {
            self.paths = paths
            self.secretPaths = secretPaths
            self.secretVariables = secretVariables
            self.drivers = drivers
            self.state = state
            self.supervisor = supervisor
        }

        var secrets: SecretValues {
            SecretValues(
                files: AllowedPaths(prefixes: secretPaths, option: "--secret-path"), variables: secretVariables)
        }
    }

    enum Message: Sendable {
        case watch(SourceRequest)
        case forget(UID)
        case refresh(UID, Refresh)
    }

    private let mailbox = Mailbox<Message>()

    /// Starts the thread. `report` gets what is declared.
    public init(_ settings: Settings, report: @escaping @Sendable (Input) -> Void) {
        let mailbox = mailbox
        startThread(name: "sources", stackBytes: 4 << 20) {
            let events = EventLoop()
            let keeper = SourceKeeper(settings, events, report)
            events.receive(mailbox) { messages in for message in messages { keeper.take(message) } }
            events.run()
        }
    }

    public func watch(_ request: SourceRequest) { mailbox.send(.watch(request)) }
    public func forget(_ uid: UID) { mailbox.send(.forget(uid)) }
    public func refresh(_ uid: UID, _ refresh: Refresh) { mailbox.send(.refresh(uid, refresh)) }
}
