import Manifests
import Planner
import Reconciler
import Values

/// What the status of an agent shows of one replica, and of its current run.
struct RunStatus {
    let replica: Replica
    let object: StoredObject
    private let inputVersion: (ObjectKey) -> Int64?

    init(_ replica: Replica, _ object: StoredObject, _ inputVersion: @escaping (ObjectKey) -> Int64?) {
        self.replica = replica
        self.object = object
        self.inputVersion = inputVersion
    }

    private var run: Run? { replica.phase.run }
    /// The current run, while something of it lives.
    private var live: Run? { replica.phase.isLive ? run : nil }

    /// Inputs of which the run has an older version.
    private var staleInputs: [String] {
        (run?.inputs ?? [:]).filter { name, version in
            let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2, let kind = Kind(rawValue: parts[0]) else { return false }
            return inputVersion(ObjectKey(kind, namespace: object.key.namespace, name: parts[1])) != version
        }.keys.sorted()
    }

    private typealias Shape = StatusShape

    static let table: [Shown<RunStatus>] = [
        Shown("ordinal", Shape.number, text: "Which replica.") { .number($0.replica.ordinal) },
        Shown("id", Shape.text, text: "The current run: uid, ordinal and attempt.") { status in
            let (replica, uid) = (status.replica, status.object.uid)
            return replica.attempt > 0
                ? .text(RunID(uid: uid, ordinal: replica.ordinal, attempt: replica.attempt).text) : nil
        },
        Shown("phase", .enumeration(AgentPhase.allCases.map(\.rawValue)), text: "Where the replica stands.") {
            .text($0.replica.phase.name.rawValue)
        },
        Shown("revision", Shape.number, text: "The revision of the run or, between two, of the one that ended.") {
            status in
            if case .backingOff(_, let revision) = status.replica.phase { return .number(revision) }
            return status.run.map { .number($0.revision) }
        },
        Shown("pid", Shape.number, text: "Its process on the machine.") { $0.live?.pid.map { .number(Int($0)) } },
        Shown("imageDigest", Shape.text, text: "The image that it runs.") { $0.run?.facts.image.map { .text($0) } },
        Shown("frozen", .boolean, text: "It stands still, as was asked.") { $0.live?.isFrozen == true ? true : nil },
        Shown("address", Shape.text, text: "Its own address, where it has one.") {
            $0.live?.facts.address.map { .text($0) }
        },
        Shown("startedAt", Shape.text, text: "When the run began (RFC 3339).") {
            $0.run?.startedAtMs.map { .text(Timestamp.milliseconds($0)) }
        },
        Shown("readyAt", Shape.text, text: "When it became ready.") {
            ($0.run?.readyAt?.wallMs).map { .text(Timestamp.milliseconds($0)) }
        },
        Shown("restarts", Shape.number, text: "Runs that followed another one.") { .number($0.replica.restarts) },
        Shown("lastExit", ExitStatus.table.shape(), text: "How the run before ended.") {
            $0.replica.lastExit.map(ExitStatus.table.node)
        },
        Shown("childOOMKills", Shape.number, text: "Processes of the run that were killed for want of memory.") {
            count($0.run?.facts.childOOMKills ?? 0)
        },
        Shown("nextRetryAt", Shape.text, text: "When it is started again.") { status in
            guard case .backingOff(let until, _) = status.replica.phase else { return nil }
            return .text(Timestamp.milliseconds(until.wallMs))
        },
        Shown(
            "staleInputs", Shape.texts,
            text: "Secrets and ConfigMaps that have changed since the run began: a restart brings their values."
        ) { $0.staleInputs.isEmpty ? nil : .list($0.staleInputs.map(Node.text)) },
    ]

    /// Nothing is shown of what never happened.
    fileprivate static func count(_ number: Int) -> Node? { number > 0 ? .number(number) : nil }
}

/// How a run ended.
enum ExitStatus {
    private typealias Shape = StatusShape

    static let table: [Shown<Exit>] = [
        Shown("code", Shape.number, text: "Its exit code.") { $0.code.map { .number($0) } },
        Shown("signal", Shape.text, text: "The signal that ended it.") {
            $0.signal.map { .text(Signals.name(of: Int32($0))) }
        },
        Shown("reason", Shape.text, text: "How it ended, as programs read it.") { .text($0.reason.rawValue) },
        Shown("message", Shape.text, text: "How it ended, in words.") { $0.message.isEmpty ? nil : .text($0.message) },
        Shown("at", Shape.text, text: "When (RFC 3339).") { .text(Timestamp.milliseconds($0.atMs)) },
        Shown("childOOMKills", Shape.number, text: "Processes of it that were killed for want of memory.") {
            RunStatus.count($0.childOOMKills)
        },
    ]
}
