import Drivers
import Planner
import Testing

/// Which kills for want of memory are the reason of an end.
@Suite struct MemoryKillsTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)
    private static let killed = 128 + 9

    /// A child was killed, which was told and written down; the kill that ends the container was not told.
    @Test func anOldEventHidesNoLaterKill() {
        var kills = MemoryKills()
        kills.begin(Self.run, atMs: 1000)
        kills.settle(Self.run, atMs: 1000)
        #expect(!kills.areExpected(Self.run), "whoever looks for kills that were not told finds the next")
        let end = kills.end(Self.run, atMs: 90_000, status: Self.killed, kills: 2, known: 1)
        #expect(end.isReason && end.childKills == 1)
    }

    /// It was told and not written down yet, for want of room on the disk.
    @Test func anEventThatIsFarAwayIsNotTheOne() {
        var kills = MemoryKills()
        kills.begin(Self.run, atMs: 1000)
        let end = kills.end(Self.run, atMs: 90_000, status: Self.killed, kills: 2, known: 1)
        #expect(end.isReason && end.childKills == 1)
        kills.begin(Self.run, atMs: 1000)
        let signalled = kills.end(Self.run, atMs: 90_000, status: Self.killed, kills: 1, known: 1)
        #expect(!signalled.isReason && signalled.childKills == 1, "somebody killed it")
    }

    @Test func whatIsToldOfALaterKillIsNotSettledWithTheOneBefore() {
        var kills = MemoryKills()
        kills.begin(Self.run, atMs: 1000)
        kills.begin(Self.run, atMs: 1900)
        kills.settle(Self.run, atMs: 1000)
        #expect(kills.areExpected(Self.run))
        let end = kills.end(Self.run, atMs: 2500, status: 1, kills: 2, known: 0)
        #expect(end.isReason && end.childKills == 2, "its children were killed, and it ended for that")
        #expect(!kills.areExpected(Self.run))
    }

    @Test func anEndWithoutKillsHasAnotherReason() {
        var kills = MemoryKills()
        #expect(!kills.end(Self.run, atMs: 1, status: Self.killed, kills: 0, known: 0).isReason)
        kills.begin(Self.run, atMs: 1000)
        #expect(!kills.end(Self.run, atMs: 1500, status: 0, kills: 1, known: 0).isReason, "it completed")
    }
}
