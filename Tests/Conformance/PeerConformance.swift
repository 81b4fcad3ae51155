import Glibc
import Machine
import Planner
package import Reconciler
import Support
import Synchronization
import Testing
package import Values

/// What every named sink must do, whatever stands behind it: it is looked at from the other side.
package struct PeerConformance {
    /// The place that a sink delivers to.
    package protocol Peer: Sendable {
        /// A sink that knows nothing of those before it.
        func open() throws -> any EventSink
        /// The envelopes that have arrived until now, in their order and with doubles.
        func received() throws -> [Node]
        /// The place cannot be reached any more, or can be again.
        func setAway(_ isAway: Bool) throws
    }

    package enum Check: String, CaseIterable, Sendable {
        case everyEventIsConfirmed, payloadsArriveAsTheyWere, eventsOfAnObjectArriveInOrder, eventsMayComeTwice
        case nothingIsDeliveredForNothing, anotherSinkGoesOn, aPeerThatIsAwayLosesNothing
        case aPeerThatGoesAwayAndComesBackLosesNothing
    }

    private let peer: any Peer

    package init(_ peer: any Peer) { self.peer = peer }

    package func run(_ check: Check) throws {
        switch check {
        case .everyEventIsConfirmed: try everyEventIsConfirmed()
        case .payloadsArriveAsTheyWere: try payloadsArriveAsTheyWere()
        case .eventsOfAnObjectArriveInOrder: try eventsOfAnObjectArriveInOrder()
        case .eventsMayComeTwice: try eventsMayComeTwice()
        case .nothingIsDeliveredForNothing: try nothingIsDeliveredForNothing()
        case .anotherSinkGoesOn: try anotherSinkGoesOn()
        case .aPeerThatIsAwayLosesNothing: try aPeerThatIsAwayLosesNothing()
        case .aPeerThatGoesAwayAndComesBackLosesNothing: try aPeerThatGoesAwayAndComesBackLosesNothing()
        }
    }

    // MARK: Events

    /// An event as the engine makes them: of one of some objects, with a note.
    package static func event(_ position: Int64, object: Int = 1, sequence: Int64? = nil, note: String = "")
        -> EventRecord
    {
        let uid = UID(high: 7, low: UInt64(object))
        let sequence = sequence ?? position
        let payload = Node.map([
            ("event_id", .text("\(uid.text)-\(sequence)")), ("event_type", "run.started"), ("schema_version", 1),
            ("occurred_at", "2026-01-02T03:04:05.678Z"), ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
            ("tenant_id", "team"), ("agent_id", .text(uid.text)),
            (
                "object",
                .map([
                    ("kind", "Agent"), ("namespace", "team"), ("name", .text("agent-\(object)")),
                    ("uid", .text(uid.text)),
                ])
            ),
            ("sequence", .number(sequence)), ("position", .number(position)), ("generation", 1),
            ("data", .map([("message", .text(note))])),
        ])
        return EventRecord(
            position: position, uid: uid, sequence: sequence, type: "run.started", namespace: "team",
            atMs: 1_767_323_045_678, payload: JSONWriter.text(payload))
    }

    /// Events of several objects, one after the other.
    private static func events(_ positions: ClosedRange<Int64>, objects: Int = 1) -> [EventRecord] {
        positions.map { position in
            event(
                position, object: Int((position - 1) % Int64(objects)) + 1,
                sequence: (position - 1) / Int64(objects) + 1)
        }
    }

    private func confirm(_ events: [EventRecord], in sink: any EventSink) throws {
        #expect(try sink.append(events) == events.map { DeliveryVerdict($0) })
    }

    /// How far the handing over has come, for who takes the peer away meanwhile.
    private final class Progress: Sendable {
        let counts = Mutex((confirmed: 0, failures: 0, isDone: false, isQuiet: false))

        /// Until it is so, or all is done.
        func wait(until isSo: ((confirmed: Int, failures: Int, isDone: Bool, isQuiet: Bool)) -> Bool) {
            _ = World.becomes(within: 300_000, every: 1) { counts.withLock { isSo($0) || $0.isDone } }
        }
    }

    /// Hands events over until all are confirmed, as the engine does: what has no verdict, or failed, comes again.
    private func insist(_ events: [EventRecord], in sink: any EventSink, _ progress: Progress = Progress()) {
        var left = events[...]
        let deadline = ContinuousClock.now + .seconds(300)
        while !left.isEmpty, ContinuousClock.now < deadline {
            do throws(SinkFailure) {
                let verdicts = try sink.append(Array(left.prefix(50)))
                let confirmed = verdicts.prefix { $0.outcome == .confirmed }.count
                #expect(verdicts.prefix(confirmed).map(\.position) == left.prefix(confirmed).map(\.position))
                left = left.dropFirst(confirmed)
                progress.counts.withLock { $0.confirmed += confirmed }
            } catch {
                if case .gone(let why) = error { Issue.record("gone: \(why)") }
                progress.counts.withLock { $0.failures += 1 }
            }
            sched_yield()
        }
        progress.counts.withLock { $0.isDone = true }
        #expect(left.isEmpty, "\(left.count) events are not confirmed")
    }

    /// Takes the peer away in the midst of it, and brings it back when that was noticed: on a thread of its own, which
    /// does not wait for other tests.
    private static func disturb(_ peer: any Peer, _ progress: Progress, at counts: [Int]) {
        startThread(name: "disturb") {
            for count in counts {
                progress.wait { $0.confirmed >= count }
                let failures = progress.counts.withLock { $0.failures }
                do { try peer.setAway(true) } catch { Issue.record(error) }
                progress.wait { $0.failures > failures }
                do { try peer.setAway(false) } catch { Issue.record(error) }
            }
            progress.counts.withLock { $0.isQuiet = true }
        }
    }

    /// What has arrived of each object without doubles: in the order of sequences, and nothing is missing.
    private func checkArrived(_ events: [EventRecord]) throws {
        var last: [String: Int] = [:]
        for envelope in try peer.received() {
            let uid = envelope[path: "object", "uid"]?.string ?? ""
            let sequence = envelope["sequence"]?.int ?? 0
            #expect(sequence <= (last[uid] ?? 0) + 1, "\(sequence) of \(uid) arrived after \(last[uid] ?? 0)")
            last[uid] = max(last[uid] ?? 0, sequence)
        }
        for event in events {
            #expect(last[event.uid.text] ?? 0 >= Int(event.sequence), "\(event.position) is missing")
        }
    }

    // MARK: Checks

    private func everyEventIsConfirmed() throws {
        let sink = try peer.open()
        try confirm(Self.events(1...3), in: sink)
        try confirm([Self.event(4)], in: sink)
        #expect(try peer.received().compactMap { $0["position"]?.int } == [1, 2, 3, 4])
    }

    private func payloadsArriveAsTheyWere() throws {
        let notes = [
            "", "\n", "\r\n", "\"\\", "\u{1}", "\u{2028}", "\u{1f600}", String(repeating: "x", count: 200 << 10),
            String(repeating: "\u{1f600}", count: 1000),
        ]
        let events = notes.enumerated().map { Self.event(Int64($0 + 1), note: $1) }
        try confirm(events, in: peer.open())
        #expect(try peer.received() == events.map { JSONReader.read($0.payload) })
    }

    private func eventsOfAnObjectArriveInOrder() throws {
        let sink = try peer.open()
        let events = Self.events(1...1000, objects: 7)
        for start in stride(from: 0, to: events.count, by: 90) {
            try confirm(Array(events[start..<min(start + 90, events.count)]), in: sink)
        }
        try checkArrived(events)
    }

    /// At least once: a batch whose confirmation was lost comes again, from another sink.
    private func eventsMayComeTwice() throws {
        try confirm(Self.events(1...4, objects: 2), in: peer.open())
        try confirm(Self.events(1...6, objects: 2), in: peer.open())
        try checkArrived(Self.events(1...6, objects: 2))
    }

    private func nothingIsDeliveredForNothing() throws {
        let sink = try peer.open()
        #expect(try sink.append([]).isEmpty)
        #expect(try peer.received().isEmpty)
    }

    private func anotherSinkGoesOn() throws {
        try confirm(Self.events(1...3), in: peer.open())
        try confirm(Self.events(4...6), in: peer.open())
        #expect(try peer.received().compactMap { $0["position"]?.int } == [1, 2, 3, 4, 5, 6])
    }

    private func aPeerThatIsAwayLosesNothing() throws {
        try peer.setAway(true)
        // What cannot be reached is no reason not to be there.
        let sink = try peer.open()
        var failure: SinkFailure?
        do throws(SinkFailure) { _ = try sink.append(Self.events(1...3)) } catch { failure = error }
        switch failure {
        case .lost, .busy: break
        case .gone, nil: Issue.record("\(failure.debugDescription)")
        }
        try peer.setAway(false)
        insist(Self.events(1...3), in: sink)
        try checkArrived(Self.events(1...3))
    }

    private func aPeerThatGoesAwayAndComesBackLosesNothing() throws {
        let sink = try peer.open()
        let events = Self.events(1...3000, objects: 5)
        let progress = Progress()
        Self.disturb(peer, progress, at: [100, 1100, 2100])
        insist(events, in: sink, progress)
        #expect(World.becomes(within: 300_000, every: 1) { progress.counts.withLock { $0.isQuiet } })
        try checkArrived(events)
    }
}
