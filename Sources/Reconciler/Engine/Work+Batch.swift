import Manifests
import Planner
import Values

/// Batches: decided on a copy, which becomes the step when nothing stands against it.
extension Work {
    mutating func carryOut(_ batch: Request.Batch, by principal: Principal) throws(Refusal) -> Answer {
        var trial = self
        // What is due anyway is no work of the batch.
        trial.planAll()
        let before = trial.draft
        let forecast: Forecast
        switch batch.change {
        case .writes(let writes): forecast = trial.carryOut(writes, before, by: principal)
        case .sync(let key, let force): forecast = try trial.sync(key, force: force, before, by: principal)
        }
        if let expected = batch.expected {
            let moves = forecast.moves(since: expected)
            if let first = moves.first { throw .conflict(first.key, .moved(moves)) }
        }
        if !forecast.isRefused { self = trial }
        return .forecast(forecast)
    }

    // MARK: Writes

    private mutating func carryOut(_ writes: [Request.Write], _ before: Draft, by principal: Principal) -> Forecast {
        var forecast = Forecast()
        var named: Set<ObjectKey> = []
        for write in writes {
            var change = Self.change(write.key, .keep, from: before)
            change.place = write.source
            if case .apply(let node, _) = write.operation { change.declared = node }
            do throws(Refusal) {
                let applied = try self.write(write, by: principal)
                change.restarts = applied.restarts
                change.action = Self.action(applied.result)
            } catch {
                change.action = .refuse
                change.refusal = error
            }
            named.insert(write.key)
            forecast.changes.append(change)
        }
        planAll()
        for index in forecast.changes.indices { complete(&forecast.changes[index], before) }
        follow(&forecast, before, besides: named)
        return forecast
    }

    private static func action(_ result: ApplyResult) -> Forecast.Action {
        switch result {
        case .created: .create
        case .configured: .change
        case .unchanged: .keep
        }
    }

    // MARK: Sources

    private mutating func sync(
        _ key: ObjectKey, force: Bool, _ before: Draft, by principal: Principal
    ) throws(Refusal) -> Forecast {
        guard let object = draft[key], object.source != nil else { throw .notFound(key) }
        if SourceSpec(object.content["spec"] ?? .emptyMap).suspend { throw .conflict(key, .suspended) }
        guard let snapshot = sources.snapshots[object.uid] else { throw .conflict(key, .notRead) }
        sources.note(snapshot, of: object.uid, Refresh(number: 0, principal: principal, force: force))
        queue.mark(key)
        planAll()
        var forecast = Forecast()
        var named: Set<ObjectKey> = [key]
        let declared = Dictionary(
            snapshot.declared.map { ($0.key, $0.node) }, uniquingKeysWith: { first, _ in first })
        for (key, drafted) in draft.overlay.objects.sorted(by: { $0.key < $1.key }) {
            let old = before[key]
            guard old?.origin?.source == object.uid || drafted?.origin?.source == object.uid, key != object.key,
                old != drafted
            else { continue }
            var change = Self.change(key, .keep, from: before)
            change.place = (drafted ?? old)?.origin?.place ?? ""
            change.declared = declared[key]
            if drafted == nil || (drafted?.deletion != nil && old?.deletion == nil) {
                change.action = .delete
            } else if old == nil {
                change.action = .create
            } else if old?.content != drafted?.content {
                change.action = .change
                if let from = old?.agent?.effective.node, let to = drafted?.agent?.effective.node {
                    change.restarts = AgentSpec.restartRelevantChanges(from: from, to: to, drivers: settings.drivers)
                }
            } else {
                continue
            }
            complete(&change, before)
            named.insert(key)
            forecast.changes.append(change)
        }
        follow(&forecast, before, besides: named)
        return forecast
    }

    // MARK: One object

    private static func change(_ key: ObjectKey, _ action: Forecast.Action, from before: Draft) -> Forecast.Change {
        Forecast.Change(
            key: key, action: action, live: before[key], standing: Forecast.Standing(key: key, action: action))
    }

    /// What has come of it, and how it stood.
    private func complete(_ change: inout Forecast.Change, _ before: Draft) {
        change.merged = draft[change.key]
        change.waits = waits[change.key]
        if change.action == .delete { change.merged = nil }
        change.effects = Self.effects(from: change.live?.agent, to: draft[change.key]?.agent)
        if let agent = draft[change.key]?.agent, !change.restarts.isEmpty {
            change.outdated = agent.replicas.count { replica in
                guard replica.phase.isLive, let run = replica.phase.run else { return false }
                return run.revision < agent.revision
            }
        }
        var standing = Forecast.Standing(key: change.key, action: change.action)
        standing.restarts = change.restarts
        standing.waits = change.waits?.reason
        if let live = change.live {
            standing.uid = live.uid
            standing.resourceVersion = live.resourceVersion
            standing.generation = live.generation
            // Status has versions of its own where there is one.
            if live.key.kind.traits.state != .none { standing.declared = live.declaredDigest }
            standing.replicas = (live.agent?.replicas ?? []).map(\.standing)
        }
        change.standing = standing
    }

    /// Objects that nobody has declared anew and whose replicas start or stop now.
    private func follow(_ forecast: inout Forecast, _ before: Draft, besides named: Set<ObjectKey>) {
        for (key, drafted) in draft.overlay.objects.sorted(by: { $0.key < $1.key }) where !named.contains(key) {
            guard drafted?.agent != nil || before[key]?.agent != nil else { continue }
            var change = Self.change(key, .follow, from: before)
            if drafted == nil || (drafted?.deletion != nil && before[key]?.deletion == nil) { change.action = .delete }
            complete(&change, before)
            if change.action == .delete || !change.effects.isEmpty { forecast.changes.append(change) }
        }
    }

    private static func effects(from old: AgentState?, to new: AgentState?) -> [Forecast.Effect] {
        let before = Dictionary(
            (old?.replicas ?? []).map { ($0.ordinal, $0) }, uniquingKeysWith: { first, _ in first })
        return (new?.replicas ?? []).compactMap { replica in
            let was = before[replica.ordinal]
            if replica.attempt > was?.attempt ?? 0 { return .start(ordinal: replica.ordinal) }
            if case .stopping(_, let reason, _) = replica.phase {
                if case .stopping? = was?.phase { return nil }
                return .stop(ordinal: replica.ordinal, reason)
            }
            let (isFrozen, wasFrozen) = (replica.phase.run?.isFrozen == true, was?.phase.run?.isFrozen == true)
            if isFrozen == wasFrozen { return nil }
            return isFrozen ? .freeze(ordinal: replica.ordinal) : .thaw(ordinal: replica.ordinal)
        }
    }
}

extension StoredObject {
    /// Of all that is declared of it.
    fileprivate var declaredDigest: String {
        var declared = content
        declared["status"] = nil
        return SHA256Digest.hex(JSONWriter.bytes(declared))
    }
}

extension Replica {
    fileprivate var standing: Forecast.ReplicaStanding {
        if isInLoop { return .crashLoop }
        switch phase {
        case .created, .scheduled: return .waiting
        case .starting(let run, _): return run.isFrozen ? .frozen : .starting
        case .ready: return .ready
        case .failed, .backingOff: return .down
        case .stopping: return .stopping
        case .stopped: return .stopped
        case .completed: return .completed
        }
    }

    private var isInLoop: Bool {
        switch phase {
        case .starting, .failed, .backingOff: backoffStep >= Limits.crashLoopFailures
        case .created, .scheduled, .ready, .stopping, .stopped, .completed: false
        }
    }
}
