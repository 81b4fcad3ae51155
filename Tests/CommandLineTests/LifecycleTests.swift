import Testing
import agentos_apply

@Suite struct LifecycleTests {
    @Test(
        arguments: [
            (
                [.serves, .signal("SIGTERM"), .loopStopped], [nil, .stopLoop(why: "SIGTERM"), .leave], ExitCode.success,
                false
            ),
            // A second signal hurries nobody, and a restore that comes too late is not done.
            (
                [.serves, .signal("SIGINT"), .signal("SIGTERM"), .restore, .loopStopped],
                [nil, .stopLoop(why: "SIGINT"), nil, nil, .leave], .success, false
            ),
            ([.serves, .restore, .loopStopped], [nil, .stopLoop(why: "restore"), .leave], .success, true),
            // Who wants it to end does not want it to start again.
            (
                [.serves, .restore, .signal("SIGTERM"), .loopStopped], [nil, .stopLoop(why: "restore"), nil, .leave],
                .success, false
            ),
            ([.serves, .storeFailed, .loopStopped], [nil, .leave, nil], .storeFailure, false),
            (
                [.serves, .signal("SIGTERM"), .storeFailed], [nil, .stopLoop(why: "SIGTERM"), .leave], .storeFailure,
                false
            ),
            ([.storeFailed, .serves], [.leave, nil], .storeFailure, false),
            ([.signal("SIGTERM"), .serves, .loopStopped], [.stopLoop(why: "SIGTERM"), nil, .leave], .success, false),
        ] as [([Lifecycle.Event], [Lifecycle.Action?], ExitCode, Bool)])
    func eachLifeEndsAsItShould(
        events: [Lifecycle.Event], actions: [Lifecycle.Action?], code: ExitCode, startsAgain: Bool
    ) {
        var life = Lifecycle()
        #expect(events.map { life.take($0) } == actions)
        #expect(life.exitCode == code && life.startsAgain == startsAgain)
    }
}
