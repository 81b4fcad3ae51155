import CLinux
import Manifests
import Planner
import Reconciler

/// What a start goes through, in this order.
public enum StartStage: String, CaseIterable, Sendable {
    /// The change that asks for it is durable.
    case accepted
    /// Its dependencies are met and it has a place: the intent to run is durable.
    case scheduled
    /// The driver has made its instance.
    case created
    /// The instance was observed.
    case seen
    /// The events that it waits for are delivered.
    case published
    case ready
}

/// How long the stages of starts have taken, and where the starts are that are under way.
///
/// Caveat: what was under way when the daemon started has begun at an unknown time, and is not measured.
public struct StartStages: Sendable {
    /// Each from the stage before it; a stage that a start does not need is not counted.
    public private(set) var stages: [StartStage: Histogram] = [:]
    /// From the request, or from the decision to start again, to ready.
    public private(set) var wholes = Histogram(.long)
    /// By agent and ordinal: a replica starts once at a time.
    private var underWay: [UID: [Int: Start]] = [:]

    private struct Start {
        var beganNs: Int64
        var lastNs: Int64
        var stage: StartStage?
        var run: RunID?
        var marks: [(stage: StartStage, atNs: Int64)] = []
    }

    /// A start that is ready, or comes to nothing.
    struct Ended {
        var run: RunID?
        var beganNs: Int64
        var endedNs: Int64
        var marks: [(stage: StartStage, atNs: Int64)]
        /// Nil: it is ready.
        var failure: String?
    }

    private var ended: [Ended] = []

    /// A step is durable.
    ///
    /// - Parameter accepted: when the requests came that this step has carried out, by their objects.
    /// - Returns: the starts that have ended with it.
    mutating func take(_ step: Step, _ accepted: [UID: Int64], _ engine: Engine) -> [Ended] {
        let now = agentos_monotonic_ns()
        for write in step.changes.replicas {
            follow(write.uid, write.replica, accepted[write.uid], now) {
                step.changes.events.first { $0.uid == write.uid }?.traceID
            }
        }
        defer { ended = [] }
        if underWay.isEmpty { return ended }
        for removed in step.changes.removed { underWay[removed.uid] = nil }
        for uid in step.changedLedgers where underWay[uid] != nil { notePublished(uid, engine, now) }
        for write in step.changes.objects where underWay[write.object.uid] != nil {
            notePublished(write.object.uid, engine, now)
        }
        return ended
    }

    /// The starts that are under way, as far as they have come; they are followed no further.
    mutating func interrupted() -> [Ended] {
        let now = agentos_monotonic_ns()
        for uid in underWay.keys.sorted() {
            for ordinal in (underWay[uid] ?? [:]).keys.sorted() { end(uid, ordinal, now, "the daemon ends") }
        }
        defer { ended = [] }
        return ended
    }

    private mutating func follow(
        _ uid: UID, _ replica: Replica, _ requestedNs: Int64?, _ now: Int64, _ trace: () -> String?
    ) {
        switch replica.phase {
        case .created, .scheduled: begin(uid, replica.ordinal, requestedNs, now, trace)
        case .starting(let run, let seen):
            if underWay[uid]?[replica.ordinal] == nil {
                // One that was ready and is so no more does not start.
                if seen { return }
                begin(uid, replica.ordinal, requestedNs, now, trace)
            }
            underWay[uid]?[replica.ordinal]?.run = run.id
            reach(.scheduled, uid, replica.ordinal, now, trace)
            if seen { reach(.seen, uid, replica.ordinal, now, trace) }
        case .ready(let run):
            guard let start = underWay[uid]?[replica.ordinal] else { return }
            // It would not be ready without: both may come in one step.
            if run.gate != nil, run.spec.gate == .published { reach(.published, uid, replica.ordinal, now, trace) }
            reach(.ready, uid, replica.ordinal, now, trace)
            wholes.observe(now - start.beganNs, trace: trace)
            end(uid, replica.ordinal, now, nil)
        case .failed:
            let why = replica.lastExit.map { $0.message.isEmpty ? $0.reason.rawValue : $0.message }
            end(uid, replica.ordinal, now, why ?? "failed")
        case .completed: end(uid, replica.ordinal, now, nil)
        case .stopping, .stopped: end(uid, replica.ordinal, now, "stopped before it was ready")
        case .backingOff: end(uid, replica.ordinal, now, "waits before the next attempt")
        }
    }

    private mutating func begin(
        _ uid: UID, _ ordinal: Int, _ requestedNs: Int64?, _ now: Int64, _ trace: () -> String?
    ) {
        guard underWay[uid]?[ordinal] == nil else { return }
        underWay[uid, default: [:]][ordinal] = Start(beganNs: requestedNs ?? now, lastNs: requestedNs ?? now)
        if requestedNs != nil { reach(.accepted, uid, ordinal, now, trace) }
    }

    private mutating func end(_ uid: UID, _ ordinal: Int, _ now: Int64, _ failure: String?) {
        guard let start = underWay[uid]?.removeValue(forKey: ordinal) else { return }
        ended.append(
            Ended(run: start.run, beganNs: start.beganNs, endedNs: now, marks: start.marks, failure: failure))
        if underWay[uid]?.isEmpty == true { underWay[uid] = nil }
    }

    private mutating func reach(
        _ stage: StartStage, _ uid: UID, _ ordinal: Int, _ now: Int64, _ trace: () -> String?
    ) {
        guard var start = underWay[uid]?[ordinal], start.stage.map({ $0 < stage }) ?? true else { return }
        stages[stage, default: Histogram(.long)].observe(now - start.lastNs, trace: trace)
        (start.stage, start.lastNs) = (stage, now)
        start.marks.append((stage, now))
        underWay[uid]?[ordinal] = start
    }

    /// The driver has made the instance of a run.
    mutating func created(_ run: RunID) {
        guard underWay[run.uid]?[run.ordinal]?.run == run else { return }
        reach(.created, run.uid, run.ordinal, agentos_monotonic_ns()) { nil }
    }

    private mutating func notePublished(_ uid: UID, _ engine: Engine, _ now: Int64) {
        let waiting = underWay[uid]?.filter { $0.value.stage == .seen }.map(\.key) ?? []
        guard !waiting.isEmpty, let key = engine.state.keysByUID[uid] else { return }
        for replica in engine.state.objects[key]?.agent?.replicas ?? [] where waiting.contains(replica.ordinal) {
            guard let run = replica.phase.run, run.gate != nil, engine.isDelivered(run) else { continue }
            reach(.published, uid, replica.ordinal, now) { nil }
        }
    }
}

extension StartStage: Comparable {
    public static func < (a: StartStage, b: StartStage) -> Bool { a.place < b.place }

    private var place: Int {
        switch self {
        case .accepted: 0
        case .scheduled: 1
        case .created: 2
        case .seen: 3
        case .published: 4
        case .ready: 5
        }
    }
}
