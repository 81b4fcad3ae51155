public import Manifests
public import Planner
import Values

/// What is told about an object: each event is in the outbox and in the audit, in the transaction of its change.
public enum Event: Sendable, Equatable {
    /// Declared for the first time, by a field manager.
    case created(manager: String)
    /// Declared anew; `restarts` are the fields whose change restarts replicas.
    case updated(manager: String, restarts: [String])
    case deletionRequested
    case deleted
    case run(Transition)
    /// Events that the consumer had not acknowledged were dropped.
    case consumerExpired(Consumer)
    /// Events that the named sink had not taken were dropped; it had got up to a position.
    case sinkExpired(sink: String, position: Int64)
    /// The named sink wants nothing more, and is switched off.
    case sinkGone(sink: String, reason: String)
    /// A Source has applied a revision, in whole or in part.
    case synced(Sync)
    case syncFailed(revision: String, failed: Int, errors: [String])
    /// A Source deletes what it no longer declares.
    case pruned(by: ObjectKey)
    /// Somebody else has changed what a Source declares.
    case drifted(from: ObjectKey, place: String, policy: SourceSpec.Drift)

    /// An Objective stands otherwise.
    case objectiveBurning(ObjectiveReport)
    case objectiveSpent(ObjectiveReport)
    case objectiveRecovered(ObjectiveReport)

    /// What one sync has done.
    public struct Sync: Sendable, Equatable {
        public var revision: String
        public var declared: Int
        public var applied: Int
        public var pruned: Int
        public var drifted: Int
        public var failed: Int
    }

    /// The type of the event, told of an object of this kind.
    public func type(of kind: Kind) -> EventType {
        switch self {
        case .created: .created(kind)
        case .updated, .deletionRequested: .updated(kind)
        case .deleted: .deleted(kind)
        case .run(let transition): .run(transition.name)
        case .consumerExpired: .consumerExpired
        case .sinkExpired: .sinkExpired
        case .sinkGone: .sinkGone
        case .synced: .sourceSynced
        case .syncFailed: .sourceFailed
        case .pruned: .objectPruned
        case .drifted: .objectDrifted
        case .objectiveBurning: .objectiveBurning
        case .objectiveSpent: .objectiveSpent
        case .objectiveRecovered: .objectiveRecovered
        }
    }

    public var run: RunID? { if case .run(let transition) = self { transition.run } else { nil } }
}

/// The types of events, as consumers know them.
public enum EventType: Sendable, Hashable, CaseIterable {
    case created(Kind)
    case updated(Kind)
    case deleted(Kind)
    case run(TransitionName)
    case consumerExpired
    case sinkExpired
    case sinkGone
    case sourceSynced
    case sourceFailed
    case objectPruned
    case objectDrifted
    case objectiveBurning
    case objectiveSpent
    case objectiveRecovered

    public static let allCases: [EventType] =
        Kind.allCases.flatMap { [.created($0), .updated($0), .deleted($0)] }
        + TransitionName.allCases.map(EventType.run)
        + [
            .consumerExpired, .sinkExpired, .sinkGone, .sourceSynced, .sourceFailed, .objectPruned, .objectDrifted,
            .objectiveBurning, .objectiveSpent, .objectiveRecovered,
        ]

    public var text: String {
        switch self {
        case .created(let kind): "\(kind.singular).created"
        case .updated(let kind): "\(kind.singular).updated"
        case .deleted(let kind): "\(kind.singular).deleted"
        case .run(let transition): "run.\(transition.rawValue)"
        case .consumerExpired: "consumer.expired"
        case .sinkExpired: "sink.expired"
        case .sinkGone: "sink.gone"
        case .sourceSynced: "source.synced"
        case .sourceFailed: "source.failed"
        case .objectPruned: "object.pruned"
        case .objectDrifted: "object.drifted"
        case .objectiveBurning: "objective.burning"
        case .objectiveSpent: "objective.spent"
        case .objectiveRecovered: "objective.recovered"
        }
    }
}
