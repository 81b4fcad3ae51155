import Manifests
public import Planner
public import Reconciler
public import Values

/// Why an object is as it is: what it is now, what has led there, what it waits for, what follows, what a person can do.
public struct Explanation {
    let key: ObjectKey
    /// Only this replica.
    let ordinal: Int?
    /// As it is now; nil: it is not there, or another time is asked about.
    let object: StoredObject?
    let history: [Remembered]
    /// Revisions of Sources, by the moment at which they were applied.
    let revisions: [Int64: String]
    let nowMs: Int64

    public init(
        _ key: ObjectKey, ordinal: Int?, object: StoredObject?, history: [HistoryEntry], revisions: [Int64: String],
        nowMs: Int64
    ) {
        self.key = key
        self.ordinal = ordinal
        self.object = object
        // Others may have had its name before it.
        self.history = history.filter { object == nil || $0.uid == nil || $0.uid == object?.uid }.map(Remembered.init)
        self.revisions = revisions
        self.nowMs = nowMs
    }

    /// The state of what is looked at as it was: the last that had happened to it is told.
    static let past = "Past"
    /// Causes that are told, newest first; what declared the object is always among them.
    static let causesMax = 12

    public var document: Node {
        let now = self.now
        let causes = Causes(history, ordinal: ordinal, revisions).shown
        return .map([
            ("kind", "Explanation"), ("apiVersion", "agentos.dev/v1"),
            (
                "object",
                .map([
                    ("kind", .text(key.kind.rawValue)),
                    ("namespace", key.kind.isNamespaced ? .text(key.namespace) : nil), ("name", .text(key.name)),
                    ("ordinal", ordinal.map { .number($0) }),
                ])
            ),
            ("state", .text(now.state)), ("sentence", .text(now.sentence)),
            ("since", now.sinceMs.map { .text(Timestamp.milliseconds($0)) }),
            ("message", now.message.isEmpty ? nil : .text(now.message)),
            ("waits", Self.texts(waits)), ("causes", causes.isEmpty ? nil : .list(causes.map(\.node))),
            ("next", now.state == Self.past ? nil : .text(next)),
            ("can", now.state == Self.past ? nil : Self.texts(can)),
            (
                "crashed",
                crashed.map { .map([("ordinal", .number($0.ordinal)), ("previous", .init(.bool($0.isOver)))]) }
            ),
        ])
    }

    private static func texts(_ texts: [String]) -> Node? { texts.isEmpty ? nil : .list(texts.map(Node.text)) }

    // MARK: Now

    private struct Now {
        var state: String
        var sentence: String
        var sinceMs: Int64?
        var message = ""
    }

    /// The replica that is asked about, or the one that the phase of the agent comes from.
    private var replica: Replica? {
        let replicas = object?.agent?.replicas ?? []
        if let ordinal { return replicas.first { $0.ordinal == ordinal } }
        return replicas.min { $0.phase.name < $1.phase.name }
    }

    private var condition: StatusSummary.TimedCondition? {
        let all = object?.agent?.summary.conditions ?? object?.source?.conditions ?? []
        return all.first { $0.condition.kind == .ready }
    }

    private var now: Now {
        guard let object else { return absent }
        if let agent = object.agent {
            let phase = ordinal == nil ? agent.summary.phase : replica?.phase.name ?? .created
            let since = history.first {
                $0.entry.position != nil && (ordinal == nil || $0.ordinal == ordinal)
            }?.entry.atMs
            return Now(
                state: phase.rawValue, sentence: ReasonWords.sentence(phase),
                sinceMs: ordinal == nil ? condition?.lastTransitionMs ?? since : since,
                message: condition?.condition.message ?? "")
        }
        if let condition {
            return Now(
                state: condition.condition.reason.rawValue,
                sentence: ReasonWords.sentence(condition.condition.reason), sinceMs: condition.lastTransitionMs,
                message: condition.condition.message)
        }
        if let deletion = object.deletion {
            return Now(
                state: "Terminating", sentence: ReasonWords.sentence(Condition.Reason.deleting), sinceMs: deletion.atMs,
                message: object.finalizers.isEmpty
                    ? "" : "waiting for finalizers: \(object.finalizers.joined(separator: ", "))")
        }
        return Now(state: "Active", sentence: "it is as it was declared", sinceMs: history.first?.entry.atMs)
    }

    /// What is not there was deleted, or never was; which of them is told, as far as is remembered.
    private var absent: Now {
        guard let last = history.first else {
            return Now(
                state: "NeverWas",
                sentence: "it never was, or was deleted longer ago than is kept"
                    + (key.kind.isNamespaced ? "; or it is in another namespace" : ""))
        }
        if last.entry.verb == "deleted" {
            return Now(state: "Deleted", sentence: "it was deleted", sinceMs: last.entry.atMs)
        }
        return Now(state: Self.past, sentence: Causes.sentence(last), sinceMs: last.entry.atMs)
    }

    // MARK: What it waits for

    private var waits: [String] {
        guard let object else { return [] }
        var waits: [String] = []
        if let agent = object.agent {
            for timed in agent.summary.conditions where Self.isTold(timed.condition) {
                switch timed.condition.kind {
                case .scheduled, .published:
                    waits.append("\(ReasonWords.sentence(timed.condition.reason)): \(timed.condition.message)")
                case .ready where Self.isWait(timed.condition.reason):
                    waits.append("\(ReasonWords.sentence(timed.condition.reason)): \(timed.condition.message)")
                case .progressing
                where [.pausedWithChanges, .progressDeadlineExceeded].contains(timed.condition.reason):
                    waits.append("\(ReasonWords.sentence(timed.condition.reason)): \(timed.condition.message)")
                case .ready, .progressing, .synced, .met, .burning: break
                }
            }
        } else if object.deletion != nil, !object.finalizers.isEmpty {
            waits.append("finalizers: \(object.finalizers.joined(separator: ", "))")
        }
        if let until = until { waits.append(until) }
        return waits
    }

    /// What does not hold, and a pause.
    private static func isTold(_ condition: Condition) -> Bool {
        !condition.status || [.paused, .pausedWithChanges].contains(condition.reason)
    }

    private static func isWait(_ reason: Condition.Reason) -> Bool {
        [.unready, .waitingForFinalizers, .waitingForDependents, .deleting].contains(reason)
    }

    private var until: String? {
        guard let replica else { return nil }
        let name = "replica \(replica.ordinal)"
        switch replica.phase {
        case .backingOff(let until, _): return "the next attempt of \(name), until \(time(until))"
        case .stopping(_, _, let killAt): return "the end of \(name), which is killed at \(time(killAt))"
        case .starting(let run, seen: false): return "the driver to start \(name), until \(time(run.startBy))"
        case .starting(let run, seen: true):
            return run.startupBy.map { "the startup probe of \(name), until \(time($0))" }
        case .created, .scheduled, .ready, .failed, .stopped, .completed: return nil
        }
    }

    private func time(_ deadline: Deadline) -> String {
        let left = max(0, deadline.wallMs - nowMs + 999) / 1000
        return "\(Timestamp.seconds(deadline.wallMs)) (in \(left) s)"
    }

    // MARK: What follows

    private var next: String {
        guard let object else { return "nothing: it is not there" }
        if object.deletion != nil { return "it is removed as soon as nothing of it runs and no finalizer is left" }
        if object.source != nil {
            return "it is read again when its files change, and from time to time"
        }
        guard let agent = object.agent else { return "nothing: it stays as it is until somebody changes it" }
        if agent.effective.spec.suspend { return "nothing, until spec.suspend is false" }
        guard let replica else { return "nothing: there are to be no replicas" }
        switch replica.phase {
        case .created, .stopped:
            return waits.isEmpty ? "it is started" : "it starts by itself as soon as it need not wait any more"
        case .scheduled: return "it is started"
        case .starting(_, seen: false): return "its process is seen, or the start is given up and tried again"
        case .starting(_, seen: true): return "it becomes Ready as soon as its probes and its events allow it"
        case .ready: return "nothing: it runs on"
        case .failed(let run, _):
            return run.spec.restartPolicy == .never
                ? "nothing: restartPolicy is Never" : "what is left of it is removed, then it is tried again"
        case .backingOff(let until, _):
            return "it is started again at \(time(until)), as attempt \(replica.attempt + 1)"
        case .stopping(_, let reason, _):
            return reason == .replaced || reason == .unhealthy
                ? "it ends, or is killed; then another run follows" : "it ends, or is killed"
        case .completed: return "nothing: its work is done"
        }
    }

    private var can: [String] {
        guard let object else {
            return [history.isEmpty ? "see what there is: agentos-apply get \(key.kind.resource) -A" : "apply it again"]
        }
        var can: [String] = []
        let exit = (replica?.phase.name).flatMap { phase in
            [.failed, .backingOff, .starting].contains(phase) ? replica?.lastExit : nil
        }
        if let advice = exit.flatMap({ ReasonWords.advice($0.reason) }) { can.append(advice) }
        let reasons = (object.agent?.summary.conditions ?? object.source?.conditions ?? []).filter {
            Self.isTold($0.condition)
        }.map(\.condition.reason)
        for reason in reasons {
            if let advice = ReasonWords.advice(reason, key.name), !can.contains(advice) { can.append(advice) }
        }
        return can
    }

    /// The replica whose last lines of output tell most.
    private var crashed: (ordinal: Int, isOver: Bool)? {
        guard let replica, let exit = replica.lastExit, exit.reason != .completed else { return nil }
        switch replica.phase {
        case .backingOff, .failed: return (replica.ordinal, false)
        case .starting: return (replica.ordinal, true)
        case .created, .scheduled, .ready, .stopping, .stopped, .completed: return nil
        }
    }
}
