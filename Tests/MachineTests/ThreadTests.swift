import Support
import Synchronization
import Testing

@testable import Machine

@Suite struct ThreadTests {
    private final class Told: Sendable {
        private let sum = Mutex(0)
        var count: Int { sum.withLock { $0 } }
        func add(_ number: Int) { sum.withLock { $0 += number } }
    }

    /// Work that can wait is told so, instead of ending the program.
    @Test func aThreadThatIsNotGivenIsTold() {
        let told = Told()
        // No machine has room for such a stack.
        let huge = tryThread(name: "huge", stackBytes: 1 << 60) { told.add(1) }
        let small = tryThread(name: "small") { told.add(10) }
        #expect(!huge && small)
        World.until("the thread has run") { told.count >= 10 }
        #expect(told.count == 10, "what has no thread is not run")
    }
}
