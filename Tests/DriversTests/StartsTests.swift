import Drivers
import Planner
import Testing

/// How far a start has got decides what may follow.
@Suite struct StartsTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)

    private func started(at steps: [StartState.Step]) throws -> Starts {
        var starts = Starts()
        let isFirst = starts.begin(Self.run)
        #expect(isFirst)
        for step in steps { try starts.proceed(Self.run, to: step) }
        return starts
    }

    @Test func aRunIsStartedOnceAtATime() throws {
        var starts = try started(at: [.preparing, .creating])
        let (wasThere, second) = (starts.isUnderWay(Self.run), starts.begin(Self.run))
        let (hasEnded, isThere) = (starts.end(Self.run), starts.isUnderWay(Self.run))
        let third = starts.begin(Self.run)
        #expect(wasThere && !second && !hasEnded && !isThere && third)
    }

    @Test(arguments: [[], [.preparing], [.preparing, .creating]] as [[StartState.Step]])
    func whatWasGivenUpGoesNoFurther(steps: [StartState.Step]) throws {
        for next in [StartState.Step.preparing, .creating, .launching] {
            var starts = try started(at: steps)
            let isGivenUp = starts.cancel(Self.run)
            #expect(isGivenUp)
            #expect(throws: Starts.Cancelled.self) { try starts.proceed(Self.run, to: next) }
            // Another attempt of the same run begins anew.
            let (hasEnded, begins) = (starts.end(Self.run), starts.begin(Self.run))
            #expect(!hasEnded && begins)
            try starts.proceed(Self.run, to: next)
        }
    }

    @Test func aProgramThatWasLaunchedIsNotGivenUp() throws {
        var starts = try started(at: [.creating, .launching])
        let (isUnderWay, hasEnded) = (starts.cancel(Self.run), starts.end(Self.run))
        #expect(isUnderWay && !hasEnded, "whoever ends it waits for the answer")
    }

    @Test func onlyALaunchedProgramEndsEarly() throws {
        var early = try started(at: [.creating])
        let (isTaken, isEarly) = (early.exited(Self.run), early.end(Self.run))
        #expect(isTaken && !isEarly, "a process that did not run the program yet")
        var launched = try started(at: [.creating, .launching])
        let (isNoted, hasEnded) = (launched.exited(Self.run), launched.end(Self.run))
        #expect(isNoted && hasEnded)
        let (later, cancelled) = (launched.exited(Self.run), launched.cancel(Self.run))
        #expect(!later && !cancelled, "it is nobody's start any more")
    }
}
