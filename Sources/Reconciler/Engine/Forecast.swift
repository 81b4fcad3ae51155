import Manifests
public import Planner
public import Values

/// What a batch leads to, object by object: decided as always, and told before it is done or with it.
public struct Forecast: Sendable {
    /// What becomes of an object.
    public enum Action: String, Sendable, CaseIterable {
        case create, change, delete
        /// It is declared as it stands.
        case keep
        /// It may not be written as it is declared.
        case refuse
        /// Nobody has declared it anew: it follows from the rest.
        case follow
    }

    /// What is done with one replica at once.
    public enum Effect: Sendable, Equatable {
        case start(ordinal: Int)
        case stop(ordinal: Int, StopReason)
        case freeze(ordinal: Int)
        case thaw(ordinal: Int)
    }

    /// One object, and what comes of it.
    public struct Change: Sendable {
        public var key: ObjectKey
        public var action: Action
        /// The object as it is and as it will be; nil before it is made, and after its end.
        public var live: StoredObject?
        public var merged: StoredObject?
        /// Of what is made: what is written of it, without defaults.
        public var declared: Node?
        /// `file:line` of what declares it.
        public var place = ""
        /// Fields whose change restarts replicas, and how many of them live with the old values.
        public var restarts: [String] = []
        public var outdated = 0
        public var effects: [Effect] = []
        public var waits: Waiting?
        public var refusal: Refusal?
        public var standing: Standing
    }

    /// How one object stood, and what was to become of it: what a plan stands on.
    public struct Standing: Sendable, Equatable {
        public var key: ObjectKey
        /// Nil: it is not there.
        public var uid: UID?
        public var resourceVersion: Int64 = 0
        public var generation: Int64 = 0
        /// What is declared, as a digest; empty where the version says the same.
        public var declared = ""
        /// How each replica was, in the order of the ordinals.
        public var replicas: [ReplicaStanding] = []
        public var action: Action
        public var restarts: [String] = []
        public var waits: Condition.Reason?

        public init(key: ObjectKey, action: Action) {
            self.key = key
            self.action = action
        }
    }

    /// How a replica is, as far as it decides what follows: a crash loop is one thing, whatever it does in a moment.
    public enum ReplicaStanding: String, Sendable, CaseIterable {
        case waiting, starting, ready, down, stopping, stopped, completed, frozen
        case crashLoop = "in a crash loop"
    }

    /// One way in which things have moved since a plan was made.
    public enum Move: Sendable, Equatable {
        /// It was not planned for, or not any more.
        case unplanned(ObjectKey)
        case dropped(ObjectKey)
        case made(ObjectKey)
        case gone(ObjectKey)
        /// Another object has its name now.
        case anew(ObjectKey)
        case declared(ObjectKey, from: Int64, to: Int64)
        case replica(ObjectKey, ordinal: Int, from: ReplicaStanding?, to: ReplicaStanding?)
        case outcome(ObjectKey, from: Action, to: Action)
        case restarts(ObjectKey)
        case waits(ObjectKey, from: Condition.Reason?, to: Condition.Reason?)
    }

    public var changes: [Change] = []

    public var isRefused: Bool { changes.contains { $0.refusal != nil } }

    /// What a plan of this stands on: what was asked for, and what goes with it.
    public var standings: [Standing] {
        changes.compactMap { change in
            switch change.action {
            case .create, .change, .delete, .keep, .refuse: change.standing
            case .follow: nil
            }
        }
    }

    /// What has moved since things stood as `expected` says.
    func moves(since expected: [Standing]) -> [Move] {
        let now = Dictionary(standings.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        let planned = Set(expected.map(\.key))
        var moves = expected.flatMap { old in now[old.key].map(old.moves) ?? [.dropped(old.key)] }
        moves += standings.filter { !planned.contains($0.key) }.map { .unplanned($0.key) }
        return moves
    }
}

extension Forecast.Standing {
    /// In the order of their causes: an object that was made anew is not compared with the old one.
    fileprivate func moves(to now: Forecast.Standing) -> [Forecast.Move] {
        switch (uid, now.uid) {
        case (nil, .some): return [.made(key)]
        case (.some, nil): return [.gone(key)]
        case (let old?, let new?) where old != new: return [.anew(key)]
        case (.some, .some), (nil, nil): break
        }
        var moves: [Forecast.Move] = []
        if declared.isEmpty ? resourceVersion != now.resourceVersion : declared != now.declared {
            moves.append(.declared(key, from: resourceVersion, to: now.resourceVersion))
        }
        for ordinal in 0..<max(replicas.count, now.replicas.count) {
            let from = ordinal < replicas.count ? replicas[ordinal] : nil
            let to = ordinal < now.replicas.count ? now.replicas[ordinal] : nil
            if from != to { moves.append(.replica(key, ordinal: ordinal, from: from, to: to)) }
        }
        if !moves.isEmpty { return moves }
        if action != now.action { return [.outcome(key, from: action, to: now.action)] }
        if restarts != now.restarts { return [.restarts(key)] }
        return waits == now.waits ? [] : [.waits(key, from: waits, to: now.waits)]
    }
}

extension Forecast.Move {
    public var key: ObjectKey {
        switch self {
        case .unplanned(let key), .dropped(let key), .made(let key), .gone(let key), .anew(let key),
            .declared(let key, _, _), .replica(let key, _, _, _), .outcome(let key, _, _), .restarts(let key),
            .waits(let key, _, _):
            key
        }
    }
}
