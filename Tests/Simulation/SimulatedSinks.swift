import Manifests
import Planner
package import Reconciler
import Synchronization
import Values

/// The journal of a life: what was confirmed, in its order and with doubles; an event's offset is its place.
package final class SimulatedJournal: EventLog {
    private struct Kept {
        var lines: [EventLine] = []
        var events: [EventRecord] = []
        var lastPosition: Int64 = 0
        var start: Int64 = 0
        var unread = 0
        var failsNext = false
        /// Where each event of an object stands for the first time.
        var places: [UID: [Int64: Int64]] = [:]
    }

    private let kept = Mutex(Kept())

    package init() {}

    package func append(_ event: EventRecord) {
        kept.withLock { kept in
            let place = Int64(kept.events.count)
            var line = EventLine(nextOffset: place + 1, position: event.position, text: event.payload)
            // Sinks read it again and again: its text is understood once.
            line.event = ReadEvent(line)
            kept.lines.append(line)
            kept.events.append(event)
            kept.lastPosition = max(kept.lastPosition, event.position)
            if kept.places[event.uid]?[event.sequence] == nil {
                kept.places[event.uid, default: [:]][event.sequence] = place
            }
        }
    }

    package var end: Int64 { kept.withLock { Int64($0.events.count) } }
    package var lastPosition: Int64 { kept.withLock { $0.lastPosition } }

    package var unread: Int { kept.withLock { $0.unread } }

    /// The offset of the first event that is kept.
    var start: Int64 { kept.withLock { $0.start } }

    /// What stands before an offset is dropped.
    package func drop(before offset: Int64) { kept.withLock { $0.start = max($0.start, offset) } }

    /// The next time that somebody reads, the disk does not answer.
    func failNext() { kept.withLock { $0.failsNext = true } }

    package func read(from offset: Int64, limit: Int) -> [EventLine] {
        kept.withLock { kept in
            if kept.failsNext {
                kept.failsNext = false
                kept.unread += 1
                return []
            }
            let offset = max(offset, kept.start)
            // Short pieces, so that batches end anywhere.
            return Array(kept.lines.dropFirst(Int(offset)).prefix(min(limit, 7)))
        }
    }

    package func offset(afterPosition position: Int64) -> Int64 {
        kept.withLock { kept in
            Int64(kept.events.firstIndex { $0.position > position } ?? kept.events.count)
        }
    }

    /// Where an event stands for the first time; nil: nowhere.
    func place(of uid: UID, _ sequence: Int64) -> Int64? { kept.withLock { $0.places[uid]?[sequence] } }

    /// The last events of each object from an offset on that some filter wants.
    func last(from offset: Int64, _ filter: EventFilter) -> [UID: Int64] {
        kept.withLock { kept in
            var last: [UID: Int64] = [:]
            for event in kept.events.dropFirst(Int(offset))
            where filter.wants(type: event.type, namespace: event.namespace, label: { _ in nil }) {
                last[event.uid] = max(last[event.uid] ?? 0, event.sequence)
            }
            return last
        }
    }
}

/// A named sink of a life, as it is from the other side.
struct SimulatedSink {
    var rule: SinkRule
    var isConfigured = true
    /// What was decided until then may not know that it is.
    var configuredAt = Moment(wallMs: 0, boot: 0, bootMs: 0)
    /// It cannot be reached.
    var isDown = false
    /// It wants nothing more, until somebody mends it.
    var isGone = false
    /// Where the journal was when it was configured first.
    var start: Int64?
    /// What it has of each object.
    var taken: [UID: Int64] = [:]
    /// Objects of which somebody gave events up.
    var gaps: Set<UID> = []
}

extension Life {
    static func sinks() -> [String: SimulatedSink] {
        let rules = [
            SinkRule(name: "archive", isRequired: true),
            SinkRule(name: "mirror", filter: EventFilter(types: ["run.*", "agent.deleted"])),
        ]
        return Dictionary(
            uniqueKeysWithValues: rules.map { ($0.name, SimulatedSink(rule: $0, isConfigured: $0.isRequired)) })
    }

    /// As the daemon does at each start and when its settings are read again.
    mutating func configureSinks() { pending.append(.sinks(configuredSinks)) }

    var configuredSinks: [SinkRule] {
        sinks.values.filter(\.isConfigured).map(\.rule).sorted { $0.name < $1.name }
    }

    /// The engine as it is when the daemon starts.
    func startedEngine() -> Engine {
        var state = store.load()
        state.journalEnd = journal.end
        var settings = settings
        settings.sinks = configuredSinks
        return Engine(state: state, settings: settings)
    }

    /// Something happens to a sink, or to its configuration.
    mutating func disturbSinks() {
        let name = random.chance(60) ? "archive" : "mirror"
        switch random.below(9) {
        case 0...2: sinks[name]?.isDown.toggle()
        case 3: if random.chance(30) { sinks[name]?.isGone = true }
        case 4:
            sinks[name]?.isConfigured.toggle()
            sinks[name]?.configuredAt = now
            configureSinks()
        case 5: mend(name)
        case 6...7:
            guard let cursor = engine.state.sinks[name],
                let (uid, parked) = cursor.parked.min(by: { $0.key < $1.key }), parked.phase == .deadLettered
            else { return }
            let resolution = ParkedResolution.allCases[random.below(3)]
            if resolution != .replay { sinks[name]?.gaps.insert(uid) }
            request(.resolve(resolution, sink: name, position: parked.position))
        default: request(.resolve(.replay, sink: name, position: nil))
        }
    }

    /// The journal drops what nobody wants, or, at its hard cap, what somebody has yet to read.
    mutating func retain() {
        let end = Int(journal.end)
        if random.chance(50), end > 0 {
            journal.drop(before: Int64(random.below(end)))
        } else {
            journal.drop(before: min(engine.leastWantedOffset ?? 0, journal.end))
        }
        noteLost(engine.state.sinks.values)
        later(.input(.retained(from: journal.start)), within: 3000)
    }

    /// What the journal has dropped is lost for a cursor that has yet to read it; also if nobody is configured for it: it may
    /// be again.
    mutating func noteLost(_ cursors: some Collection<SinkCursor>) {
        if cursors.contains(where: { $0.leastOffset < journal.start }) { lostBefore = journal.start }
    }

    /// An operator has mended the sink, and says so.
    mutating func mend(_ name: String) {
        sinks[name]?.isGone = false
        request(.resolve(.replay, sink: name, position: nil))
    }

    mutating func feed(_ asked: SinkRequest, _ life: Int) {
        guard life == daemonLife || random.chance(50) else { return }  // the program died before it was sent
        if let problem = sinkFailure(asked.sink) { return answer(SinkReport(asked, problem), life) }
        // What was dropped meanwhile is told first.
        if asked.from < journal.start, life == daemonLife { pending.append(.retained(from: journal.start)) }
        if happens(\.journalUnread) { journal.failNext() }
        let batch = asked.batch(of: journal)
        // What a cursor asked for that is gone meanwhile says nothing of the one after it.
        let isOfNow = sinks[asked.sink]?.start.map { $0 <= asked.from } ?? false
        var verdicts: [DeliveryVerdict] = []
        var held: Set<UID> = []
        let diesAfter = happens(\.sinkDies) ? random.below(batch.events.count + 1) : nil
        for (place, event) in batch.events.enumerated() {
            if place == diesAfter {
                // Some of it has arrived, and nobody knows how much.
                if random.chance(50) { return answer(batch.report(.failure(.lost("it died"))), life) }
                break
            }
            if held.contains(event.uid) { continue }
            if happens(\.sinkPostpones) {
                held.insert(event.uid)
                verdicts.append(DeliveryVerdict(event, random.chance(70) ? .postponed("not now") : .refused("never")))
                continue
            }
            if isOfNow, mutant != .sinkForgets || !random.chance(10) { deliver(event, to: asked.sink) }
            verdicts.append(DeliveryVerdict(event))
        }
        answer(batch.report(.success(verdicts)), life)
    }

    private mutating func sinkFailure(_ name: String) -> SinkFailure? {
        guard let sink = sinks[name] else { return .lost("it is not there") }
        if sink.isGone { return .gone("it is closed") }
        if sink.isDown { return random.chance(70) ? .lost("down") : .busy("later", afterMs: 3000) }
        return nil
    }

    private mutating func deliver(_ event: EventRecord, to name: String) {
        guard let sink = sinks[name] else { return }
        if let last = sink.taken[event.uid], event.sequence > last + 1, !sink.gaps.contains(event.uid),
            sink.rule.filter == EventFilter(), journal.place(of: event.uid, last + 1) ?? .max >= lostBefore
        {
            fail("\(name) was given event \(event.sequence) of \(event.uid.hex) after \(last)")
        }
        result.fed += 1
        sinks[name]?.taken[event.uid] = max(sink.taken[event.uid] ?? 0, event.sequence)
    }

    private mutating func answer(_ report: SinkReport, _ life: Int) {
        if life == daemonLife { self.report(.fed(report)) }
    }

    /// Its cursor is gone: it begins anew where the journal ends by then.
    mutating func forgetSink(_ name: String) {
        sinks[name]?.start = nil
        sinks[name]?.taken = [:]
    }

    // MARK: Promises

    /// When a sink was configured first is when its cursor was made.
    mutating func noteSinks(_ changes: ChangeSet) {
        for case .cursor(let cursor) in changes.sinks where sinks[cursor.name]?.start == nil {
            sinks[cursor.name]?.start = cursor.offset
        }
        for case .removed(let name) in changes.sinks { forgetSink(name) }
        for case .ready(let run) in changes.replicas.map(\.replica.phase) where wereReady.insert(run.id).inserted {
            readyAnew.insert(run.id)
        }
    }

    /// No run becomes Ready before the sinks that are required have the events of its start.
    mutating func checkSinkGates(_ step: Step) {
        let told = Dictionary(
            step.changes.events.filter { $0.type == "run.ready" }.map { ($0.uid, $0.atMs) },
            uniquingKeysWith: { first, _ in first })
        if told.isEmpty { return }
        for object in engine.state.objects.values where told[object.uid] != nil {
            for replica in object.agent?.replicas ?? [] {
                // Regaining it waits for nothing, whatever is required by then.
                guard case .ready(let run) = replica.phase, readyAnew.remove(run.id) != nil,
                    run.spec.gate == .published, let gate = run.gate, run.readyAt?.wallMs == told[object.uid]
                else { continue }
                if let readyAt = run.readyAt { checkRequired(object.key, object.uid, gate, readyAt) }
            }
        }
    }

    private mutating func checkRequired(_ key: ObjectKey, _ uid: UID, _ gate: Int64, _ readyAt: Moment) {
        for rule in engine.sinkRules where rule.isRequired {
            guard let sink = sinks[rule.name], let start = sink.start, let place = journal.place(of: uid, gate),
                sink.configuredAt.isBefore(readyAt), place >= max(start, lostBefore), !sink.gaps.contains(uid),
                sink.taken[uid] ?? 0 < gate
            else { continue }
            fail("\(key.name) is Ready before \(rule.name) has event \(gate)")
        }
    }

    /// Sinks that have not got all that they are to have.
    var unfed: String? {
        for (name, sink) in sinks.sorted(by: { $0.key < $1.key }) where sink.isConfigured {
            guard let cursor = engine.state.sinks[name] else { return "\(name) has no cursor" }
            if cursor.gone != nil { return "\(name) is switched off" }
            if cursor.offset != journal.end { return "\(name) is at \(cursor.offset) of \(journal.end)" }
            if !cursor.parked.isEmpty { return "\(name) has \(cursor.parked.count) parked objects" }
        }
        return nil
    }

    /// Nothing is lost on the way to a sink, but what somebody gave up.
    mutating func checkSinks() {
        for (name, sink) in sinks.sorted(by: { $0.key < $1.key }) {
            guard sink.isConfigured, let start = sink.start else { continue }
            for (uid, last) in journal.last(from: max(start, lostBefore), sink.rule.filter)
            where sink.taken[uid] ?? 0 < last && !sink.gaps.contains(uid) {
                return fail("\(name) has \(sink.taken[uid] ?? 0) of \(uid.hex), not \(last)")
            }
        }
    }
}

extension Moment {
    fileprivate func isBefore(_ other: Moment) -> Bool { (boot, bootMs) < (other.boot, other.bootMs) }
}
