import CLinux
import Glibc
import Machine

/// The service manager that has started this daemon, and what it is told: sd_notify(3), without its library. A daemon that
/// nobody listens to says nothing.
package final class ServiceManager {
    private let place: String?
    /// The daemon shows within this time, again and again, that its loop turns.
    private let watchdogMs: Int64?
    private let events: EventLoop
    private let log: Log

    init(_ events: EventLoop, _ log: Log, environment: (String) -> String?) {
        self.events = events
        self.log = log
        place = environment("NOTIFY_SOCKET")
        watchdogMs = Self.watchdogMs(environment, pid: getpid())
    }

    /// The time that the manager waits for a sign of life; nil: it waits for none, or for another process.
    package static func watchdogMs(_ environment: (String) -> String?, pid: Int32) -> Int64? {
        if let meant = environment("WATCHDOG_PID"), meant != String(pid) { return nil }
        guard let text = environment("WATCHDOG_USEC"), let us = Int64(text), us > 0 else { return nil }
        return max(2, us / 1000)
    }

    func serves(_ what: String) { say("READY=1", "STATUS=serves \(what)") }

    /// Shows again and again that the loop turns, where somebody asks for it.
    func startWatchdog() {
        guard let watchdogMs else { return }
        // The program that was here before may have asked for more.
        say("WATCHDOG_USEC=\(watchdogMs * 1000)", "WATCHDOG=1")
        live(every: watchdogMs / 2)
    }

    func stops(_ why: String) { say("STOPPING=1", "STATUS=finishes what is under way (\(why)); agents run on") }

    /// Says that settings are read again, until `serves` says that they were.
    func reloads() { say("RELOADING=1", "MONOTONIC_USEC=\(agentos_monotonic_us())", "STATUS=reads its settings again") }

    /// Says that the same process starts again, on the restored database: no loop turns meanwhile, and checking a large
    /// one takes its time.
    func startsAgain() {
        say("RELOADING=1", "MONOTONIC_USEC=\(agentos_monotonic_us())", "STATUS=starts again on the restored database")
        let us = Self.restoreMs * 1000
        say("EXTEND_TIMEOUT_USEC=\(us)")
        if watchdogMs != nil { say("WATCHDOG_USEC=\(us)", "WATCHDOG=1") }
    }

    /// The longest that a start on a restored database may take.
    private static let restoreMs: Int64 = 600_000

    private func live(every ms: Int64) {
        events.after(ms: ms) { [unowned self] in
            say("WATCHDOG=1")
            live(every: ms)
        }
    }

    private static let tries = 50
    private static let pauseMs: Int64 = 100

    private func say(_ lines: String...) { send(lines.joined(separator: "\n"), tries: Self.tries) }

    /// A manager with much to do is told a moment later.
    private func send(_ text: String, tries: Int) {
        guard let place, agentos_notify(place, text) != 0 else { return }
        if errno == EAGAIN, tries > 1 {
            events.after(ms: Self.pauseMs) { [unowned self] in send(text, tries: tries - 1) }
        } else {
            log.error(
                "the service manager cannot be told",
                [("socket", place), ("error", String(cString: strerror(errno)))])
        }
    }
}
