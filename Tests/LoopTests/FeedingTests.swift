import Machine
import Messaging
import Planner
import Reconciler
import Simulation
import Support
import Synchronization
import Testing

@testable import Loop

/// Named sinks on the threads of the real loop, with the real journal.
@Suite struct FeedingTests {
    /// A sink that waits within its calls for as long as it is told to.
    private final class Gate: EventSink, Sendable {
        private struct State {
            var isOpen: Bool
            var isBusy = false
            var hadTwo = false
            var taken: [Int64] = []
        }

        private let state: Mutex<State>

        init(isOpen: Bool) { state = Mutex(State(isOpen: isOpen)) }

        var isBusy: Bool { state.withLock { $0.isBusy } }
        var hadTwo: Bool { state.withLock { $0.hadTwo } }
        var taken: [Int64] { state.withLock { $0.taken } }
        func open() { state.withLock { $0.isOpen = true } }

        func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
            state.withLock { state in
                if state.isBusy { state.hadTwo = true }
                state.isBusy = true
            }
            let isOpen = World.becomes(within: 10 * World.patienceMs) { state.withLock { $0.isOpen } }
            state.withLock { state in
                state.isBusy = false
                if isOpen { state.taken += events.map(\.position) }
            }
            if !isOpen { throw .lost("nobody has opened it") }
            return events.map { DeliveryVerdict($0) }
        }
    }

    private let events = EventLoop()

    private func named(_ name: String, _ sink: Gate) -> NamedSink {
        NamedSink(rule: SinkRule(name: name), sink: sink)
    }

    private func inLoop(_ sinks: [NamedSink], _ body: (Loop) throws -> Void) throws {
        let world = World()
        defer { world.close() }
        let journal = try Journal.open("\(world.directory)/journal")
        let loop = Loop(
            engine: Engine(state: EngineState(), settings: EngineSettings()), store: SharedSimulatedStore(),
            journal: journal, inbox: Inbox(), drivers: [], sinks: sinks, checksEvents: 1, clock: SystemClock(),
            events: events)
        loop.start()
        try body(loop)
        #expect(loop.counters.schemaViolations == 0)
        var hasStopped = false
        loop.stop { hasStopped = true }
        run("the loop has stopped") { hasStopped }
    }

    /// Runs the loop until something is the case.
    private func run(_ what: String, until condition: @escaping () -> Bool) {
        let deadline = World.now() + World.patienceMs
        func look() {
            let isOver = World.now() > deadline
            if isOver { Issue.record("not in time: \(what)") }
            if isOver || condition() { return events.stop() }
            events.after(ms: 2) { look() }
        }
        look()
        events.run()
    }

    /// Makes one event.
    private func tell(_ loop: Loop, _ name: String, _ number: UInt64) {
        let write = Request.Write.apply(
            key: ObjectKey(.namespace, namespace: "", name: name), node: .emptyMap, manager: "test", force: true,
            dryRun: false, source: "", freshUID: UID(high: 1, low: number))
        loop.submit(actor: Principal(user: "test", via: .socket), .write(write)) { _ in }
    }

    @Test func aSinkThatIsSlowHoldsNoOtherUp() throws {
        let (slow, fast) = (Gate(isOpen: false), Gate(isOpen: true))
        try inLoop([named("slow", slow), named("fast", fast)]) { loop in
            tell(loop, "a", 1)
            run("the slow one is asked") { slow.isBusy }
            for (number, name) in ["b", "c"].enumerated() {
                tell(loop, name, UInt64(number) + 2)
                run("the fast one has it") { fast.taken.last == Int64(number) + 2 }
            }
            #expect(slow.taken.isEmpty && loop.engine.sinkState("slow") == .delivering)
            slow.open()
            run("the slow one has all") { slow.taken.count == 3 }
            #expect(slow.taken == [1, 2, 3] && fast.taken == [1, 2, 3] && !slow.hadTwo)
        }
    }

    /// Settings that change do not make a second call beside the one that is under way; what it has taken is not told again.
    @Test func aCallThatIsUnderWayHoldsTheNextOneBack() throws {
        let (old, new, other) = (Gate(isOpen: false), Gate(isOpen: true), Gate(isOpen: true))
        try inLoop([named("mirror", old)]) { loop in
            tell(loop, "a", 1)
            run("the old one is asked") { old.isBusy }
            loop.use([named("mirror", new), named("other", other)])
            tell(loop, "b", 2)
            run("the one that is new has what came after it") { other.taken == [2] }
            #expect(new.taken.isEmpty && old.isBusy)
            old.open()
            run("the rest goes on where the call has ended") { new.taken == [2] }
            #expect(old.taken == [1])
            loop.use([named("other", other)])
            tell(loop, "c", 3)
            run("only who is named is fed") { other.taken == [2, 3] }
            #expect(new.taken == [2] && loop.engine.sinkState("mirror") == .notConfigured)
        }
    }
}
