import Manifests
import Planner
import Testing

@testable import Reconciler

/// Which keys a step gets, in which order, and what is left for the next one.
@Suite struct WorkQueueTests {
    private static func key(_ name: String) -> ObjectKey { ObjectKey(.agent, namespace: "default", name: name) }

    /// `a` is the oldest and least urgent; of the others, later names are younger.
    private static func rank(_ key: ObjectKey) -> WorkQueue.Rank {
        WorkQueue.Rank(
            priority: key.name == "a" ? -1 : 0, createdAtMs: Int64(key.name.utf8.first ?? 0), key: key)
    }

    private enum Act {
        case mark(String)
        case wake(String, atMs: Int64?)
        case wait(String, WorkQueue.Need?)
        case begin(nowMs: Int64)
        case take(String)
        case release(slots: Int)
        case releaseRoom
        case giveBack
    }

    private static let table: [(String, [Act])] = [
        ("an empty queue gives nothing", [.begin(nowMs: 0), .take("")]),
        ("a key is in it once", [.mark("b"), .mark("b"), .begin(nowMs: 0), .take("b"), .take("")]),
        ("urgent ones first, then the oldest", [.mark("a"), .mark("c"), .mark("b"), .begin(nowMs: 0), .take("bca")]),
        (
            "what is not due is left",
            [.wake("b", atMs: 10), .begin(nowMs: 9), .take(""), .begin(nowMs: 10), .take("b")]
        ),
        ("a key has one time", [.wake("b", atMs: 5), .wake("b", atMs: 9), .begin(nowMs: 5), .take("")]),
        ("a time is taken back", [.wake("b", atMs: 5), .wake("b", atMs: nil), .begin(nowMs: 5), .take("")]),
        (
            "slots go to the first that wait",
            [.wait("c", .slot), .wait("b", .slot), .release(slots: 1), .begin(nowMs: 0), .take("b"), .take("")]
        ),
        ("no slot, no key", [.wait("b", .slot), .release(slots: 0), .begin(nowMs: 0), .take("")]),
        ("room is for all", [.wait("b", .room), .wait("c", .room), .releaseRoom, .begin(nowMs: 0), .take("bc")]),
        ("a key waits for one thing", [.wait("b", .slot), .wait("b", .room), .release(slots: 9), .take("")]),
        ("who waits no more is not released", [.wait("b", .room), .wait("b", nil), .releaseRoom, .take("")]),
        (
            "a step looks at a key four times, and the next one again",
            [
                .begin(nowMs: 0), .mark("b"), .take("b"), .mark("b"), .take("b"), .mark("b"), .take("b"), .mark("b"),
                .take("b"), .mark("b"), .take(""), .begin(nowMs: 0), .take("b"),
            ]
        ),
        (
            "what could not be committed comes again",
            [.mark("b"), .mark("c"), .begin(nowMs: 0), .take("bc"), .giveBack, .begin(nowMs: 0), .take("bc")]
        ),
    ]

    @Test(arguments: table.indices) func keysComeInTheirOrder(_ row: Int) {
        let (what, acts) = Self.table[row]
        var queue = WorkQueue()
        var taken = Taken()
        for act in acts {
            switch act {
            case .mark(let name): queue.mark(Self.key(name))
            case .wake(let name, let atMs): queue.wake(Self.key(name), atMs: atMs)
            case .wait(let name, let need): queue.wait(Self.key(name), for: need)
            case .begin(let nowMs): queue.begin(nowMs: nowMs)
            case .take(let names):
                #expect(queue.take(into: &taken, rank: Self.rank).map(\.name).joined() == names, "\(what)")
            case .release(let slots): queue.release(slots: slots, rank: Self.rank)
            case .releaseRoom: queue.releaseRoom()
            case .giveBack: queue.giveBack(taken)
            }
        }
    }
}
