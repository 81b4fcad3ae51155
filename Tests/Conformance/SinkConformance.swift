import Planner
package import Reconciler
import Synchronization
import Testing
import Values

/// What every sink must do whose events can be read again. A sink is handed to it as a function that opens it: each time
/// the same one, with all that was confirmed.
package struct SinkConformance {
    package typealias Sink = EventJournal

    package enum Check: String, CaseIterable, Sendable {
        case aNewSinkHoldsNothing, whatWasConfirmedIsReadAgain, everyEventGetsItsVerdict, payloadsComeBackAsTheyWere
        case aReaderGoesOnWhereItWas, aReaderStartsAfterAPosition, eventsMayComeTwice, nothingIsAppendedForNothing
        case aReaderBesideTheWriterSeesWholeEvents, aLimitIsKept, whatIsWantedIsRetained
    }

    private let open: () throws -> any Sink

    package init(open: @escaping () throws -> any Sink) { self.open = open }

    package func run(_ check: Check) async throws {
        switch check {
        case .aNewSinkHoldsNothing: try aNewSinkHoldsNothing()
        case .whatWasConfirmedIsReadAgain: try whatWasConfirmedIsReadAgain()
        case .everyEventGetsItsVerdict: try everyEventGetsItsVerdict()
        case .payloadsComeBackAsTheyWere: try payloadsComeBackAsTheyWere()
        case .aReaderGoesOnWhereItWas: try aReaderGoesOnWhereItWas()
        case .aReaderStartsAfterAPosition: try aReaderStartsAfterAPosition()
        case .eventsMayComeTwice: try eventsMayComeTwice()
        case .nothingIsAppendedForNothing: try nothingIsAppendedForNothing()
        case .aReaderBesideTheWriterSeesWholeEvents: try await aReaderBesideTheWriterSeesWholeEvents()
        case .aLimitIsKept: try aLimitIsKept()
        case .whatIsWantedIsRetained: try whatIsWantedIsRetained()
        }
    }

    /// An event of one object, with a note.
    package static func event(_ position: Int64, _ note: String = "") -> EventRecord {
        let payload = Node.map([
            ("sequence", .number(position)), ("position", .number(position)), ("note", .text(note)),
        ])
        return EventRecord(
            position: position, uid: UID(high: 1, low: 1), sequence: position, type: "x", namespace: "n", atMs: 1,
            payload: JSONWriter.text(payload))
    }

    private static func events(_ positions: ClosedRange<Int64>) -> [EventRecord] { positions.map { event($0) } }

    /// All events from an offset on.
    package static func all(_ sink: any EventLog, from offset: Int64 = 0) -> [EventLine] {
        var lines: [EventLine] = []
        while true {
            let more = sink.read(from: lines.last?.nextOffset ?? offset, limit: 1000)
            if more.isEmpty { return lines }
            lines += more
        }
    }

    private func aNewSinkHoldsNothing() throws {
        let sink = try open()
        #expect(
            sink.lastPosition == 0 && sink.read(from: 0, limit: 10).isEmpty && sink.read(from: .max, limit: 1).isEmpty)
        #expect(sink.offset(afterPosition: 5) == sink.end)
    }

    private func whatWasConfirmedIsReadAgain() throws {
        do {
            let sink = try open()
            _ = try sink.append(Self.events(1...2))
            _ = try sink.append([Self.event(3)])
        }
        let sink = try open()
        let lines = Self.all(sink)
        #expect(lines.map(\.position) == [1, 2, 3] && lines.last?.nextOffset == sink.end && sink.lastPosition == 3)
        _ = try sink.append([Self.event(4)])
        #expect(try Self.all(open()).map(\.position) == [1, 2, 3, 4])
    }

    private func everyEventGetsItsVerdict() throws {
        let verdicts = try open().append(Self.events(1...3))
        #expect(verdicts.map(\.position) == [1, 2, 3] && verdicts.map(\.sequence) == [1, 2, 3])
        #expect(verdicts.allSatisfy { $0.outcome == .confirmed && $0.uid == UID(high: 1, low: 1) })
    }

    private func payloadsComeBackAsTheyWere() throws {
        let notes = [
            "", "\n", "\r\n", "\"\\", "\u{0}", "\u{2028}", "\u{1f600}", String(repeating: "x", count: 3 << 20),
            String(repeating: "\u{1f600}", count: 1000),
        ]
        let events = notes.enumerated().map { Self.event(Int64($0 + 1), $1) }
        _ = try open().append(events)
        let lines = try Self.all(open())
        #expect(lines.map(\.text) == events.map(\.payload) && lines.map(\.position) == events.map(\.position))
    }

    private func aReaderGoesOnWhereItWas() throws {
        let sink = try open()
        _ = try sink.append(Self.events(1...10))
        for line in Self.all(sink) {
            #expect(
                Self.all(sink, from: line.nextOffset).first?.position == (line.position < 10 ? line.position + 1 : nil))
        }
        _ = try sink.append([Self.event(11)])
        let tenth = try #require(Self.all(sink).dropLast().last)
        #expect(try Self.all(open(), from: tenth.nextOffset).map(\.position) == [11])
    }

    private func aReaderStartsAfterAPosition() throws {
        let sink = try open()
        // Delivered out of their order, as events of different objects may be.
        _ = try sink.append([3, 1, 2, 7, 5, 6].map { Self.event($0) })
        for position in Int64(0)...8 {
            let offset = sink.offset(afterPosition: position)
            let before = Self.all(sink).filter { $0.nextOffset <= offset }
            #expect(before.allSatisfy { $0.position <= position }, "after \(position)")
        }
        #expect(sink.offset(afterPosition: 7) == sink.end && sink.lastPosition == 7)
    }

    /// At least once: a batch whose confirmation was lost comes again.
    private func eventsMayComeTwice() throws {
        let sink = try open()
        _ = try sink.append(Self.events(1...2))
        _ = try sink.append(Self.events(1...3))
        #expect(Self.all(sink).map(\.position) == [1, 2, 1, 2, 3] && sink.lastPosition == 3)
    }

    private func nothingIsAppendedForNothing() throws {
        let sink = try open()
        _ = try sink.append([Self.event(1)])
        let end = sink.end
        #expect(try sink.append([]).isEmpty && sink.end == end)
    }

    private func aReaderBesideTheWriterSeesWholeEvents() async throws {
        let sink = try open()
        let isDone = Done()
        async let seen = Self.follow(sink, until: isDone)
        for batch in Int64(0)..<100 {
            let first = batch * 3 + 1
            let note = String(repeating: "y", count: Int(batch) * 50)
            _ = try sink.append((first..<first + 3).map { Self.event($0, note) })
        }
        isDone.flag.withLock { $0 = true }
        let lines = await seen
        #expect(lines.map(\.position) == Array(1...300))
        for line in lines { #expect(JSONReader.read(line.text)?["position"]?.int == Int(line.position)) }
    }

    private final class Done: Sendable {
        let flag = Mutex(false)
    }

    private static func follow(_ sink: any EventLog, until done: Done) async -> [EventLine] {
        var seen: [EventLine] = []
        while true {
            let last = done.flag.withLock { $0 }
            seen += all(sink, from: seen.last?.nextOffset ?? 0)
            if last { return seen }
            await Swift.Task.yield()
        }
    }

    private func aLimitIsKept() throws {
        let sink = try open()
        _ = try sink.append(Self.events(1...10))
        #expect(sink.read(from: 0, limit: 3).map(\.position) == [1, 2, 3] && sink.read(from: 0, limit: 1).count == 1)
    }

    private func whatIsWantedIsRetained() throws {
        let sink = try open()
        _ = try sink.append(Self.events(1...10))
        let first = sink.retain(from: 0, nowMs: 0)
        #expect(first == 0 && Self.all(sink).count == 10)
        let end = sink.end
        #expect(sink.retain(from: end, nowMs: 0) <= end)
    }
}
