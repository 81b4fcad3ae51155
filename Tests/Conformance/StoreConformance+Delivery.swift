import Manifests
import Planner
import Reconciler
import Simulation
import Testing
import Values

/// Events and the states of their delivery.
extension StoreConformance {
    func unpublishedEventsComeInOrder() throws {
        var clerk = try clerk()
        for name in ["a", "b", "a", "c"] { try clerk.note(name, "\(clerk.engine.state.position)") }
        let uid = try #require(clerk.uid(.namespace("a")))
        func positions(limit: Int = 10, _ excluded: [UID] = []) throws -> [Int64] {
            try self.clerk().store.unpublished(limit: limit, excluding: excluded).map(\.position)
        }
        #expect(try positions() == [1, 2, 3, 4])
        #expect(try positions(limit: 3) == [1, 2, 3])
        #expect(try positions([uid]) == [2, 4])
        let events = try clerk.store.unpublished(limit: 10, excluding: [])
        #expect(events.map(\.sequence) == [1, 1, 2, 1] && events[2].uid == uid)
        #expect(events[2].type == "namespace.updated" && events[2].payload.contains("\"sequence\":2"))
        try clerk.deliver(to: Acceptor(), limit: 2)
        #expect(try positions() == [3, 4])
    }

    func eachStateOfDeliveryIsKept() throws {
        var clerk = try clerk()
        for note in ["1", "2"] { try clerk.note("a", note) }
        try clerk.note("b", "1")
        let uid = try #require(clerk.uid(.namespace("a")))
        func record(_ position: Int64) throws -> OutboxRecord? {
            try self.clerk().store.outbox(position: position, stuckOnly: false, limit: 1).first
        }
        func ledger() throws -> Ledger? { try self.clerk().store.load().ledgers[uid] }
        let refusing = Acceptor(refuses: ["namespace.updated"])
        #expect(try record(1)?.state == .outboxWritten)
        try clerk.deliver(to: refusing)
        for position in [Int64(1), 3] { #expect(try record(position)?.state == .published) }
        let retrying = try #require(try record(2))
        #expect(retrying.state == .retrying && retrying.attempts == 1 && retrying.error == "no")
        #expect(try ledger()?.stuck?.isDeadLetter == false)
        #expect(try ledger()?.stuck == clerk.engine.state.ledgers[uid]?.stuck)
        #expect(try ledger()?.publishedSequence == 1)
        #expect(try ledger()?.lastSequence == 2)
        for _ in 0..<Limits.publishAttemptsMax {
            clerk.later(Int64(Limits.publishBackoffMsMax))
            try clerk.deliver(to: refusing)
        }
        #expect(try record(2)?.state == .deadLettered)
        #expect(try ledger()?.stuck?.isDeadLetter == true)
        #expect(try self.clerk().store.load().backlog == 1)
        try clerk.request(.replay(position: 2))
        let replayed = try #require(try record(2))
        #expect(replayed.state == .outboxWritten && replayed.attempts == 0 && replayed.error == nil)
        #expect(try ledger()?.stuck == nil)
        for _ in 0...Limits.publishAttemptsMax {
            try clerk.deliver(to: refusing)
            clerk.later(Int64(Limits.publishBackoffMsMax))
        }
        try clerk.request(.skip(position: 2))
        #expect(try record(2)?.state == .skipped)
        #expect(try ledger()?.publishedSequence == 2)
        #expect(try self.clerk().store.load().backlog == 0)
    }

    func consumersAreKept() throws {
        var clerk = try clerk()
        for note in ["1", "2", "3"] { try clerk.note("default", note) }
        let uid = try #require(clerk.uid(.namespace("default")))
        try clerk.request(.acknowledge(consumer: "slow", position: 1, journalOffset: 10))
        try clerk.deliver(to: Acceptor())
        try clerk.request(.acknowledge(consumer: "fast", position: 2, journalOffset: 20))
        func state() throws -> EngineState { try self.clerk().store.load() }
        #expect(try state().consumers["fast"] == Consumer(name: "fast", position: 2, journalOffset: 20))
        #expect(try state().consumers == clerk.engine.state.consumers)
        #expect(try state().ledgers[uid]?.acknowledgedSequence == 1)
        try clerk.request(.acknowledge(consumer: "slow", position: 3, journalOffset: 30))
        #expect(try state().ledgers[uid]?.acknowledgedSequence == 2)
        let records = try clerk.store.outbox(position: nil, stuckOnly: false, limit: 10)
        #expect(records.filter { $0.event.uid == uid }.map(\.state) == [.published, .acknowledged, .acknowledged])
        try clerk.take([.retained(from: 25)])
        #expect(try state().consumers["fast"]?.isExpired == true)
        try clerk.request(.removeConsumer("fast"))
        #expect(try state().consumers.keys.sorted() == ["slow"])
    }

    func eventsOfAnObjectComeNewestFirst() throws {
        var clerk = try clerk()
        for note in 1...4 {
            try clerk.note("a", "\(note)")
            try clerk.note("b", "\(note)")
        }
        let uid = try #require(clerk.uid(.namespace("a")))
        #expect(try self.clerk().store.events(of: uid, limit: 3).map(\.sequence) == [4, 3, 2])
        #expect(try clerk.store.events(of: UID(high: 9, low: 9), limit: 3).isEmpty)
        #expect(try clerk.store.event(of: uid, sequence: 2)?.sequence == 2)
        #expect(try clerk.store.event(of: uid, sequence: 2)?.uid == uid)
        #expect(try clerk.store.event(of: uid, sequence: 99) == nil)
        #expect(try clerk.store.event(of: UID(high: 9, low: 9), sequence: 1) == nil)
    }

    func recordsOfTheOutboxAreFound() throws {
        var clerk = try clerk()
        for note in ["1", "2", "3"] { try clerk.note("a", note) }
        try clerk.deliver(to: Acceptor(refuses: ["namespace.updated"]))
        let store = try self.clerk().store
        func positions(_ position: Int64?, _ stuckOnly: Bool, _ limit: Int) throws -> [Int64] {
            try store.outbox(position: position, stuckOnly: stuckOnly, limit: limit).map(\.event.position)
        }
        #expect(try positions(nil, false, 10) == [3, 2, 1])
        #expect(try positions(nil, false, 2) == [3, 2])
        #expect(try positions(nil, true, 10) == [2])
        #expect(try positions(1, true, 10) == [1])
        #expect(try positions(9, false, 10).isEmpty)
    }

    func whatWaitsIsNeverTrimmed() throws {
        var clerk = try clerk()
        for note in ["1", "2", "3"] { try clerk.note("a", note) }
        try clerk.request(.acknowledge(consumer: "slow", position: 1, journalOffset: 10))
        try clerk.deliver(to: Acceptor(), limit: 2)
        try clerk.request(.acknowledge(consumer: "slow", position: 1, journalOffset: 10))
        func positions() throws -> [Int64] {
            try self.clerk().store.outbox(position: nil, stuckOnly: false, limit: 10).map(\.event.position)
        }
        try clerk.store.trim(nowMs: clerk.now.wallMs + Limits.retentionMs)
        #expect(try positions() == [3, 2, 1], "nothing is older than it may get")
        try clerk.store.trim(nowMs: clerk.now.wallMs + Limits.retentionMs + 1)
        // The second waits for its consumer, the third for the sink.
        #expect(try positions() == [3, 2])
        #expect(try Self.difference(self.clerk().store.load(), clerk.engine.state) == nil)
    }
}

/// Named sinks: how far they have got, and what is parked for them.
extension StoreConformance {
    func sinksAreKept() throws {
        var clerk = try clerk()
        func state() throws -> EngineState { try self.clerk().store.load() }
        try clerk.take([.sinks([SinkRule(name: "archive", isRequired: true), SinkRule(name: "mirror")])])
        #expect(try state().sinks == clerk.engine.state.sinks)
        #expect(try state().sinks.keys.sorted() == ["archive", "mirror"])
        let journal = SimulatedJournal()
        for note in ["1", "2", "3"] { try clerk.note("a", note) }
        try clerk.note("b", "1")
        for event in try clerk.store.unpublished(limit: 10, excluding: []) { journal.append(event) }
        try clerk.deliver(to: Acceptor())
        try clerk.take([.delivered([], end: journal.end)])
        /// The archive refuses an event for now, and takes the rest.
        func feed(_ outcome: DeliveryVerdict.Outcome) throws {
            for request in clerk.engine.sinkRequests(clerk.now, besides: { $0 != "archive" }) {
                let batch = request.batch(of: journal)
                let verdicts = batch.events.filter { $0.sequence <= 2 }.map {
                    DeliveryVerdict($0, $0.sequence == 2 ? outcome : .confirmed)
                }
                try clerk.take([.fed(batch.report(.success(verdicts)))])
            }
        }
        try feed(.postponed("not now"))
        let uid = try #require(clerk.uid(.namespace("a")))
        #expect(try state().sinks == clerk.engine.state.sinks)
        let parked = try #require(try state().sinks["archive"]?.parked[uid])
        #expect(parked.sequence == 2 && parked.reason == "not now" && parked.attempts == 1 && parked.offset == 1)
        #expect(try state().sinks["archive"]?.offset == 4)
        clerk.later(60_000)
        try feed(.refused("never \u{0}\u{2028}"))
        #expect(try state().sinks == clerk.engine.state.sinks)
        #expect(try state().sinks["archive"]?.deadLetters == 1)
        try clerk.request(.resolve(.skip, sink: "archive", position: parked.position))
        #expect(try state().sinks["archive"]?.parked[uid]?.phase == .following)
        try clerk.request(.resolve(.drop, sink: "archive", position: nil))
        #expect(try state().sinks == clerk.engine.state.sinks)
        try clerk.take([.sinks([SinkRule(name: "archive")])])
        #expect(try state().sinks.count == 2, "a sink that is configured no more keeps its place")
        try clerk.request(.forgetSink("mirror"))
        #expect(try state().sinks == clerk.engine.state.sinks && state().sinks.count == 1)
        try clerk.restart()
        #expect(clerk.engine.state.sinks["archive"]?.offset == 4)
    }
}
