import Manifests
import Planner
import Reconciler
import Values

/// The safety promises, checked at every step.
extension Life {
    mutating func fail(_ what: String) {
        if result.violation == nil { result.violation = what }
    }

    mutating func checkMachine() {
        var seen: [SimulatedStore.RunKey: RunID] = [:]
        for run in machine.living {
            let key = SimulatedStore.RunKey(uid: run.uid, ordinal: run.ordinal)
            if let other = seen[key] { fail("two live instances of one replica: \(other.text) and \(run.text)") }
            seen[key] = run
            if run.attempt > store.committedAttempts[key] ?? 0 {
                fail("the live instance \(run.text) has no committed run")
            }
            if !store.isCurrent(run), !strangers.contains(run) {
                fail("the live instance \(run.text) is not the run that its replica has")
            }
        }
    }

    /// A run has a number that none before it had, as far as anybody can know.
    private mutating func checkNumbers(_ changes: ChangeSet) {
        for write in changes.replicas {
            guard case .starting(let run, seen: false) = write.replica.phase, !store.isCurrent(run.id) else { continue }
            let key = SimulatedStore.RunKey(uid: run.id.uid, ordinal: run.id.ordinal)
            if run.id.attempt <= store.usedAttempts[key] ?? 0 || machine.runs[run.id] != nil {
                fail("the run \(run.id.text) has the number of one before it")
            }
        }
    }

    mutating func checkCommit(_ changes: ChangeSet) {
        checkNumbers(changes)
        let audited = Set(changes.audit.compactMap(\.position))
        for event in changes.events where !audited.contains(event.position) {
            fail("event \(event.position) has no audit entry in its transaction")
        }
        if let problem = EventDescription.problems(in: changes.events, every: 1).first { fail(problem) }
        let told = Set(changes.events.map(\.uid))
        for write in changes.replicas where !told.contains(write.uid) {
            // Bookkeeping after the end of a run is no transition; every change of phase is one.
            if let old = engine.state.objects.values.first(where: { $0.uid == write.uid })?.agent?.replicas.first(
                where: { $0.ordinal == write.replica.ordinal }),
                old.phase.name != write.replica.phase.name, write.run?.isUntold != true
            {
                fail(
                    "replica \(write.replica.ordinal) went from \(old.phase.name) to \(write.replica.phase.name) without an event"
                )
            }
        }
    }

    /// - Parameter written: the objects that may have changed; nil: all of them.
    mutating func checkState(_ written: Set<UID>? = nil) {
        for object in engine.state.objects.values {
            guard let agent = object.agent else { continue }
            if agent.observedGeneration > object.generation { fail("observedGeneration is ahead of generation") }
            if written?.contains(object.uid) ?? true { checkRevisions(object, agent) }
            for replica in agent.replicas {
                guard case .ready(let run) = replica.phase else { continue }
                if run.spec.gate == .published, let gate = run.gate, delivered.last(of: object.uid) < gate {
                    fail("\(object.key.name) is Ready before its events are delivered")
                }
            }
        }
    }

    /// The newest revision that is kept is the current one, and what runs are started with.
    private mutating func checkRevisions(_ object: StoredObject, _ agent: AgentState) {
        let kept = store.revisions[object.uid] ?? []
        let name = object.key.name
        guard let newest = kept.first else { return fail("no revision of \(name) is kept") }
        if newest.number != agent.revision { fail("\(name) is at revision \(agent.revision), not \(newest.number)") }
        if newest.template != AgentSpec.template(of: agent.effective.node) {
            fail("revision \(newest.number) of \(name) is not what its runs are started with")
        }
        if kept.count > Limits.revisionsMax { fail("\(kept.count) revisions of \(name) are kept") }
        if zip(kept, kept.dropFirst()).contains(where: { $0.number <= $1.number }) {
            fail("the revisions of \(name) are out of order")
        }
        for replica in agent.replicas where replica.phase.run.map({ $0.revision > agent.revision }) ?? false {
            fail("a run of \(name) is of a revision that is yet to come")
        }
    }

    /// What was told last is what is true, whatever was left out in a crash loop, and the counts are those of the machine.
    mutating func checkTold() {
        for object in engine.state.objects.values {
            for replica in object.agent?.replicas ?? [] {
                guard let run = replica.phase.run, case .ready = replica.phase else { continue }
                let name = "\"run_id\":\"\(run.id.text)\""
                let isTold = store.outbox.values.contains {
                    $0.event.uid == object.uid && $0.event.type == "run.ready" && $0.event.payload.contains(name)
                }
                if !isTold { fail("nobody was told that \(run.id.text) is Ready") }
                if case .running(_, _, let facts, _) = machine.seen[run.id],
                    facts.childOOMKills != run.facts.childOOMKills
                {
                    fail("\(run.id.text) has \(run.facts.childOOMKills) kills, not \(facts.childOOMKills)")
                }
            }
        }
    }

    /// Events of one object have no gap in the outbox; after a restore, what it lacks is in the journal.
    mutating func checkLedgers() {
        var next: [UID: Int64] = [:]
        func isMissing(_ uid: UID, upTo last: Int64) -> Bool {
            var expected = (next[uid] ?? 0) + 1
            while result.restores > 0, expected < last, delivered.holds(uid, expected) { expected += 1 }
            return expected != last
        }
        for row in store.outbox.values.sorted(by: { $0.event.position < $1.event.position }) {
            let event = row.event
            if isMissing(event.uid, upTo: event.sequence) {
                return fail("events of \(event.uid.hex) have a gap before \(event.sequence)")
            }
            next[event.uid] = event.sequence
        }
        for (uid, last) in store.lastSequence where isMissing(uid, upTo: last + 1) {
            return fail("the last event of \(uid.hex) is missing")
        }
    }
}
