import Manifests
import Planner
import Reconciler
import Synchronization
import Testing
import Values

@testable import Loop

/// The daemon's own events, as those see them who watch them again after a while.
@Suite struct ResumeTests {
    private final class Count: Sendable { let made = Mutex(0) }

    private let record = EventRecord(
        position: 1, uid: UID(high: 1, low: 1), sequence: 1, type: "run.started", namespace: "default", atMs: 1000,
        payload: "{}")

    private func published(_ count: Count) -> (PublishedState, EngineState) {
        var state = EngineState()
        state.resourceVersion = 7
        var published = PublishedState(state)
        published.words = EventWords { _, key, _, _, _, _ in
            count.made.withLock { $0 += 1 }
            return .map([("metadata", .map([("name", .text(key.name))]))])
        }
        return (published, state)
    }

    /// Nothing is committed when an event gets too old, so that its end has the version of what came before.
    @Test func whoHasSeenTheLastVersionIsToldWhatIsShownNoLonger() throws {
        var (published, _) = published(Count())
        #expect(published.tell([record]).count == 1)
        #expect(published.changes(of: .event, since: 7)?.isEmpty == true)
        #expect(published.expireEvents(nowMs: 1001 + Int64(Limits.eventAgeMs)).count == 1)
        let changes = try #require(published.changes(of: .event, since: 7))
        #expect(changes.map(\.change) == [.deleted] && changes.first?.object.uid == changes.first?.before?.uid)
    }

    @Test func theDocumentOfAnEventIsMadeOnce() throws {
        let count = Count()
        var (published, state) = published(count)
        let object = try #require(published.tell([record]).first?.object)
        #expect(count.made.withLock { $0 } == 0, "nobody has read it yet")
        #expect(object.selectable.name == object.key.name)
        #expect(!object.text(state) { _ in [] }.isEmpty && !object.text(state) { _ in [] }.isEmpty)
        #expect(count.made.withLock { $0 } == 1)
    }
}
