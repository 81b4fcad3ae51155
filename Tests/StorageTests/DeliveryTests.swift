import Glibc
import Manifests
import Planner
import Reconciler
import Simulation
import Storage
import Synchronization
import Testing
import Values

/// A sink that refuses what a test says, and keeps the rest.
private final class FailingSink: EventSink {
    struct State {
        var refuses: Set<String> = []
        var isDown = false
        var taken: [EventRecord] = []
    }
    let state = Mutex(State())

    func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        let verdicts: [DeliveryVerdict]? = state.withLock { state in
            if state.isDown { return nil }
            var refused: Set<UID> = []
            return events.compactMap { event in
                if refused.contains(event.uid) { return nil }
                let isRefused = state.refuses.contains(event.type)
                if isRefused { refused.insert(event.uid) } else { state.taken.append(event) }
                return DeliveryVerdict(event, isRefused ? .postponed("no") : .confirmed)
            }
        }
        guard let verdicts else { throw .lost("down") }
        return verdicts
    }
}

/// The outbox over a real store, with a sink that fails: the same calls as the loop makes, in virtual time.
private struct Office {
    var engine: Engine
    let store: SQLiteStore
    let sink = FailingSink()
    var now = someMoment
    var requests = 0

    init(_ directory: String) throws {
        store = try SQLiteStore.open("\(directory)/agentos.db", freshID: "id", nowMs: 1)
        engine = Engine(state: try store.load(), settings: EngineSettings(drivers: .simulated))
    }

    @discardableResult
    mutating func take(_ inputs: [Input]) throws -> [Answer] {
        let step = engine.step(inputs, now)
        if !step.changes.isEmpty { try store.commit(step.changes) }
        engine.committed(step)
        return step.answers.map(\.answer)
    }

    mutating func request(_ verb: Request.Verb) throws -> Answer? {
        requests += 1
        return try take([.request(Request(id: requests, principal: Principal(user: "test", via: .socket), verb: verb))])
            .first
    }

    mutating func apply(_ name: String, _ note: String) throws {
        let node = Node.map([("metadata", .map([("annotations", .map([("note", .text(note))]))]))])
        var high: UInt64 = 0
        for byte in name.utf8 { high = high << 8 | UInt64(byte) }
        let apply = Request.Write.apply(
            key: ObjectKey(.namespace, namespace: "", name: name), node: node, manager: "test", force: true,
            dryRun: false, source: "",
            freshUID: UID(high: high, low: 1))
        _ = try request(.write(apply))
    }

    /// One round of delivery; false when nothing may be tried now.
    @discardableResult
    mutating func deliver() throws -> Bool {
        guard engine.wantsPublishing(now) else { return false }
        let batch = try store.unpublished(limit: 100, excluding: engine.parkedObjects(now))
        if batch.isEmpty { return false }
        let input: Input
        do throws(SinkFailure) {
            input = .delivered(try sink.append(batch))
        } catch {
            input = .sinkUnavailable(error.words)
        }
        try take([input])
        return true
    }

    mutating func later(_ ms: Int64) {
        now.bootMs += ms
        now.wallMs += ms
    }

    var taken: [String] {
        sink.state.withLock { $0.taken.map { "\($0.uid.high == 0x61 ? "a" : "b") \($0.sequence)" } }
    }

    func row(_ position: Int64) throws -> OutboxRecord? {
        try store.outbox(position: position, stuckOnly: false, limit: 1).first
    }
}

extension Answer {
    fileprivate var isDone: Bool { if case .done = self { true } else { false } }
    fileprivate var refusal: Refusal? { if case .failure(let refusal) = self { refusal } else { nil } }
}

@Suite struct DeliveryTests {
    /// Promise 4, and the states of an outbox record.
    @Test func aRefusedEventIsTriedAgainAndThenParksItsObject() throws {
        try inDirectory { directory in
            var office = try Office(directory)
            office.sink.state.withLock { $0.refuses = ["namespace.updated"] }
            try office.apply("a", "1")
            try office.apply("a", "2")
            try office.apply("b", "1")
            try office.deliver()
            #expect(office.taken == ["a 1", "b 1"])
            #expect(try office.row(1)?.state == .published)
            #expect(try office.row(2)?.state == .retrying)
            #expect(try office.deliver() == false)

            for _ in 0..<Limits.publishAttemptsMax {
                office.later(Int64(Limits.publishBackoffMsMax))
                try office.deliver()
            }
            #expect(try office.row(2)?.state == .deadLettered)
            // What follows of this object waits; other objects do not.
            office.sink.state.withLock { $0.refuses = [] }
            try office.apply("a", "3")
            try office.apply("b", "2")
            office.later(Int64(Limits.publishBackoffMsMax))
            try office.deliver()
            #expect(office.taken == ["a 1", "b 1", "b 2"])
            #expect(
                try office.store.outbox(position: nil, stuckOnly: true, limit: 10).map(\.event.position)
                    == [2])

            // A restart changes nothing of this.
            office.engine = Engine(state: try office.store.load(), settings: EngineSettings(drivers: .simulated))
            try office.deliver()
            #expect(office.taken == ["a 1", "b 1", "b 2"])

            #expect(try office.request(.replay(position: 2))?.isDone == true)
            try office.deliver()
            #expect(office.taken == ["a 1", "b 1", "b 2", "a 2", "a 3"])
            #expect(office.engine.state.backlog == 0)
        }
    }

    @Test func aSkippedEventLetsTheNextOnesGo() throws {
        try inDirectory { directory in
            var office = try Office(directory)
            office.sink.state.withLock { $0.refuses = ["namespace.created"] }
            try office.apply("a", "1")
            try office.apply("a", "2")
            for _ in 0...Limits.publishAttemptsMax {
                try office.deliver()
                office.later(Int64(Limits.publishBackoffMsMax))
            }
            #expect(try office.row(1)?.state == .deadLettered)
            #expect(try office.request(.skip(position: 2))?.refusal == .notStuck(position: 2))
            // Two people skip it at the same moment: one event is skipped, not two.
            let answers = try office.take(
                [1, 2].map {
                    .request(
                        Request(id: $0, principal: Principal(user: "test", via: .socket), verb: .skip(position: 1)))
                })
            #expect(answers.map(\.isDone) == [true, false])
            try office.deliver()
            #expect(office.taken == ["a 2"])
            #expect(try office.row(1)?.state == .skipped)
        }
    }

    @Test func anUnreachableSinkIsTriedLaterAndLosesNothing() throws {
        try inDirectory { directory in
            var office = try Office(directory)
            office.sink.state.withLock { $0.isDown = true }
            try office.apply("a", "1")
            try office.deliver()
            #expect(try office.deliver() == false)
            office.sink.state.withLock { $0.isDown = false }
            office.later(Int64(Limits.publishBackoffMsMax))
            try office.take([])
            try office.deliver()
            #expect(office.taken == ["a 1"])
        }
    }

    @Test func acknowledgedIsWhatAllConsumersHaveTaken() throws {
        try inDirectory { directory in
            var office = try Office(directory)
            try office.apply("a", "1")
            try office.apply("a", "2")
            try office.deliver()
            _ = try office.request(.acknowledge(consumer: "fast", position: 2, journalOffset: 20))
            #expect(try office.row(2)?.state == .acknowledged)
            try office.apply("a", "3")
            try office.deliver()
            _ = try office.request(.acknowledge(consumer: "slow", position: 1, journalOffset: 10))
            _ = try office.request(.acknowledge(consumer: "fast", position: 3, journalOffset: 30))
            #expect(try office.row(3)?.state == .published)
            _ = try office.request(.acknowledge(consumer: "slow", position: 3, journalOffset: 30))
            #expect(try office.row(3)?.state == .acknowledged)
        }
    }

    /// Promise 10: beyond the hard cap a consumer that is behind expires, by an event.
    @Test func aConsumerThatStaysBehindExpires() throws {
        try inDirectory { directory in
            var office = try Office(directory)
            try office.apply("default", "1")
            _ = try office.request(.acknowledge(consumer: "slow", position: 1, journalOffset: 10))
            _ = try office.request(.acknowledge(consumer: "fast", position: 1, journalOffset: 500))
            #expect(office.engine.leastWantedOffset == 10)
            try office.take([.retained(from: 100)])
            let state = try office.store.load()
            #expect(state.consumers["slow"]?.isExpired == true && state.consumers["fast"]?.isExpired == false)
            #expect(office.engine.leastWantedOffset == 500)
            let last = try office.store.unpublished(limit: 10, excluding: []).last
            #expect(last?.type == "consumer.expired" && last?.payload.contains("\"consumer\":\"slow\"") == true)
            try office.take([.retained(from: 100)])
            #expect(try office.store.unpublished(limit: 10, excluding: []).count { $0.type == "consumer.expired" } == 1)
        }
    }
}
