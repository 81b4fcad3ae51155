import CLinux
import Glibc
import Machine
import Testing

@Suite struct EventLoopTests {
    /// A loop that was held up has looked at everything before it takes time for over.
    @Test func aTimerFiresOnlyAfterWhatCameBeforeItWasDue() {
        let events = EventLoop()
        let (first, second) = (agentos_eventfd(), agentos_eventfd())
        defer {
            close(first)
            close(second)
        }
        func tell(_ fd: Int32) {
            var one: UInt64 = 1
            #expect(write(fd, &one, 8) == 8)
        }
        var seen: [String] = []
        events.watch(first) { [unowned events] _ in
            events.unwatch(first)
            events.after(ms: 1) {
                seen.append("timer")
                events.stop()
            }
            // It is due, and the other has come, before this handler ends.
            let due = agentos_boot_ms() + 3
            tell(second)
            while agentos_boot_ms() < due {}
        }
        events.watch(second) { [unowned events] _ in
            events.unwatch(second)
            seen.append("second")
        }
        tell(first)
        events.run()
        #expect(seen == ["second", "timer"])
    }
}
