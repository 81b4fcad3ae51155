import Manifests
import Planner
import Simulation
import Testing
import Values

@testable import Reconciler

/// Requests that come again.
@Suite struct OnceTests {
    private var house = House()
    private let key = ObjectKey.map("a")

    private mutating func create(_ name: String, key: String?, digest: String = "d", by user: String = "test")
        -> Answer?
    {
        house.now.wallMs += 1000
        let write = Request.Write(
            key: .map(name), .create(.emptyMap), manager: "test",
            freshUID: UID(high: 2, low: UInt64(house.now.wallMs)))
        let request = Request(
            id: 1, principal: Principal(user: user, via: .socket), verb: .write(write),
            once: key.map { Request.Once(key: $0, digest: digest) })
        return house.take([.request(request)]).answers.first?.answer
    }

    @Test mutating func theSameRequestIsCarriedOutOnce() throws {
        #expect(create("a", key: "k")?.applied?.result == .created)
        let uid = try #require(house[key]?.uid)
        guard case .kept(let kept)? = create("a", key: "k") else {
            Issue.record("it was carried out again")
            return
        }
        #expect(kept.object?.uid == uid && kept.object?.isCreated == true)
        #expect(create("a", key: "k", digest: "e")?.refusal == .keyReused("k"))
        #expect(create("a", key: "l")?.refusal == .conflict(key, .exists))
        #expect(create("a", key: "k", by: "other")?.refusal == .conflict(key, .exists), "keys are of one principal")
        // It is kept when the object is gone, and for a day.
        house.ask(.delete(key, graceMs: nil))
        guard case .kept? = create("a", key: "k") else {
            Issue.record("it was forgotten")
            return
        }
        house.now.wallMs += Limits.keptAnswerMs
        #expect(create("a", key: "k")?.applied?.result == .created)
    }

    /// A full table is a refusal that passes by itself, and one user's keys are not all there are.
    @Test mutating func aFullTableGetsRoomWhenTheOldestExpire() throws {
        func fill(_ count: Int, of user: String, from start: Int64) -> EngineState {
            var state = house.engine.state
            for index in 0..<count {
                state.keptAnswers.keep(
                    KeptAnswer(
                        principal: user, key: "\(index)", digest: "d", object: nil, atMs: start + Int64(index)))
            }
            return state
        }
        let start = house.now.wallMs
        for (count, user) in [(Limits.keptAnswersOfOneMax, "test"), (Limits.keptAnswersMax, "others")] {
            house = House()
            house.now.wallMs = start
            house.engine = Engine(
                state: fill(count, of: user, from: start), settings: EngineSettings(drivers: .simulated))
            house.now.wallMs = start + Int64(count)
            guard case .tooMany(let waitMs)? = create("a", key: "k")?.refusal else {
                Issue.record("there is no bound")
                return
            }
            #expect((1000...3_600_000).contains(waitMs))
            #expect(create("a", key: nil)?.applied != nil, "without a key there is no table")
            if user == "test" { #expect(create("b", key: "k", by: "another")?.applied != nil) }
            house.now.wallMs = start + Limits.keptAnswerMs
            #expect(create("c", key: "k")?.applied?.result == .created)
        }
    }

    /// A clock that was wrong for a moment holds nothing for years.
    @Test mutating func answersFromTheFarFutureAreForgotten() {
        house.now.wallMs += 100 * Limits.keptAnswerMs
        #expect(create("a", key: "k")?.applied != nil)
        house.now.wallMs -= 100 * Limits.keptAnswerMs
        #expect(create("b", key: "k", digest: "e")?.applied != nil)
        #expect(house.engine.state.keptAnswers.count == 1)
    }

    @Test mutating func aRefusalIsNotKept() {
        #expect(create("a", key: nil)?.applied != nil)
        #expect(create("a", key: "k")?.refusal != nil)
        house.ask(.delete(key, graceMs: nil))
        #expect(create("a", key: "k")?.applied?.result == .created)
    }
}
