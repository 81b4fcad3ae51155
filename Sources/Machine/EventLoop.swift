import CLinux
import Glibc
import Synchronization
import Values

/// A thread's loop over descriptors, timers and mailboxes. Everything it calls runs on its own thread.
public final class EventLoop {
    public struct TimerID: Hashable, Sendable { let number: Int }

    private let epoll: Int32
    private var handlers: [Int32: (UInt32) -> Void] = [:]
    private var timers = TimerHeap<Int>()
    private var bodies: [Int: () -> Void] = [:]
    /// What the next turn begins with.
    private var soon: [() -> Void] = []
    private var nextTimer = 0
    private var isRunning = true

    public init() {
        epoll = agentos_epoll_create()
        if epoll < 0 { endForWant(of: "epoll_create1") }
    }

    /// Calls `handler` while the descriptor is readable (1), writable (4) or at its end (16).
    ///
    /// - Returns: false when the kernel has no room for another watch; the handler is never called then.
    @discardableResult
    public func watch(_ fd: Int32, events: UInt32 = 1, _ handler: @escaping (UInt32) -> Void) -> Bool {
        guard agentos_epoll_set(epoll, fd, events) == 0 else { return false }
        handlers[fd] = handler
        return true
    }

    /// Call before the descriptor is closed.
    public func unwatch(_ fd: Int32) {
        handlers[fd] = nil
        _ = agentos_epoll_remove(epoll, fd)
    }

    /// Calls `handler` with all messages that were sent since its last call.
    public func receive<Message: Sendable>(_ mailbox: Mailbox<Message>, _ handler: @escaping ([Message]) -> Void) {
        watch(mailbox.fd) { _ in
            let messages = mailbox.take()
            if !messages.isEmpty { handler(messages) }
        }
    }

    @discardableResult
    public func after(ms: Int64, _ body: @escaping () -> Void) -> TimerID {
        nextTimer += 1
        bodies[nextTimer] = body
        timers.set(nextTimer, at: agentos_boot_ms().addingSaturated(max(0, ms)))
        return TimerID(number: nextTimer)
    }

    /// Calls `body` in the next turn, when all that has come is looked at: a timer of no time, for less.
    public func soon(_ body: @escaping () -> Void) { soon.append(body) }

    public func cancel(_ timer: TimerID) {
        bodies[timer.number] = nil
        timers.set(timer.number, at: nil)
    }

    /// How many calls are still to come.
    package var timerCount: Int { bodies.count + soon.count }

    public func stop() { isRunning = false }

    /// Runs until `stop`; may be called again afterwards.
    public func run() {
        defer { isRunning = true }
        var fds = [Int32](repeating: 0, count: 256)
        var events = [UInt32](repeating: 0, count: 256)
        while isRunning {
            // A timer of after this moment is due in the next turn: what came until it was due has been looked at by then,
            // however long the thread, or the machine, stood still.
            let now = agentos_boot_ms()
            let next = timers.next()
            let wait = soon.isEmpty ? next.map { Int32(clamping: max(0, $0 - now)) } ?? -1 : 0
            let early = soon
            soon = []
            let count = agentos_epoll_wait(epoll, &fds, &events, 256, wait)
            for index in 0..<max(0, Int(count)) { handlers[fds[index]]?(events[index]) }
            for body in early { body() }
            // One of them may have cancelled another.
            if let next, next <= now { for id in timers.due(now) { bodies.removeValue(forKey: id)?() } }
        }
    }
}

/// Messages from other threads to one reader, who is woken through a descriptor.
public final class Mailbox<Message: Sendable>: Sendable {
    package let fd: Int32
    private let queue = Mutex(Queue())

    private struct Queue {
        var messages: [Message] = []
        /// The reader has been woken for what is here.
        var isTold = false
    }

    public init() {
        fd = agentos_eventfd()
        if fd < 0 { endForWant(of: "eventfd") }
    }

    deinit { close(fd) }

    /// Leaves a message. A wake-up that fails is tried again at once, and with the next message.
    public func send(_ message: Message) {
        queue.withLock { queue in
            queue.messages.append(message)
            if !queue.isTold { queue.isTold = tell() }
        }
    }

    private func tell() -> Bool {
        var one: UInt64 = 1
        for _ in 0..<100 where write(fd, &one, 8) == 8 { return true }
        return false
    }

    /// Takes all messages; waits for the first when there is none.
    func take() -> [Message] {
        var count: UInt64 = 0
        while read(fd, &count, 8) < 0, errno == EINTR {}
        return queue.withLock { queue in
            defer { queue = Queue() }
            return queue.messages
        }
    }
}

/// A thread that runs jobs one after the other: for what may block, such as fsync.
public final class Worker: Sendable {
    private let jobs = Mailbox<@Sendable () -> Void>()

    public init(name: String) {
        let jobs = jobs
        startThread(name: name) {
            while true { for job in jobs.take() { job() } }
        }
    }

    public func run(_ job: @escaping @Sendable () -> Void) { jobs.send(job) }
}

/// Starts a detached thread that the process cannot do without.
public func startThread(name: String, stackBytes: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) {
    if !tryThread(name: name, stackBytes: stackBytes, body) { endForWant(of: "pthread_create") }
}

/// Starts a detached thread for work that can wait.
///
/// - Returns: false, with `errno` set, when the machine gives none now; `body` is not run then.
public func tryThread(name: String, stackBytes: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Box(body)).toOpaque()
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, argument)
    if result != 0 {
        Unmanaged<Box>.fromOpaque(argument).release()
        errno = result
        return false
    }
    agentos_name_thread(thread, name)
    return true
}

/// Ends the process, with its reason, when the kernel does not give what no part of it can do without. The next start may
/// have it; agents run on.
private func endForWant(of call: String) -> Never {
    let text = "agentos-apply: the machine gives too little to go on: \(call): \(String(cString: strerror(errno)))\n"
    _ = write(2, text, text.utf8.count)
    exit(1)
}
