import CLinux
import Glibc
import Machine
import Manifests
public import Planner
public import Reconciler
import Values

/// Probes running agents, all from one thread: connections that are made without waiting, and commands that the drivers
/// run. Thresholds are applied here; only changes of a verdict are reported.
///
/// Source: the meaning of Kubernetes' probes. A probe that is still under way is not asked again.
public struct ProbeWatcher: Prober {
    enum Message: Sendable {
        case begin(ProbeTarget)
        case end(RunID)
        case executed(RunID, ProbeKind, number: Int, ExecutionResult)
    }

    private let mailbox = Mailbox<Message>()

    public init(drivers: [any Driver], report: @escaping @Sendable (Input) -> Void) {
        let mailbox = mailbox
        let byName = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        startThread(name: "prober") {
            let events = EventLoop()
            let keeper = ProbeKeeper(events: events, drivers: byName, mailbox: mailbox, report: report)
            events.receive(mailbox) { messages in for message in messages { keeper.take(message) } }
            events.run()
        }
    }

    public func begin(_ target: ProbeTarget) { mailbox.send(.begin(target)) }
    public func end(_ run: RunID) { mailbox.send(.end(run)) }
}

enum ProbeKind: Int, CaseIterable, Sendable {
    case startup, readiness, liveness

    var name: String {
        switch self {
        case .startup: "startup"
        case .readiness: "readiness"
        case .liveness: "liveness"
        }
    }
}

/// Does the work of `ProbeWatcher` on its thread.
final class ProbeKeeper {
    /// One kind of probe of one run.
    private final class Asker {
        let probe: AgentSpec.Probe
        var successes = 0
        var failures = 0
        var number = 0
        var next: EventLoop.TimerID?
        /// The question under way.
        var timeout: EventLoop.TimerID?
        var fd: Int32 = -1
        var answer: [UInt8] = []

        init(_ probe: AgentSpec.Probe) { self.probe = probe }
    }

    private final class Watched {
        let target: ProbeTarget
        var state: ProbeState
        var askers: [ProbeKind: Asker] = [:]

        init(_ target: ProbeTarget) {
            self.target = target
            // What was ready before the daemon came back stays so until its probe says otherwise.
            state = ProbeState(
                hasStarted: target.hasStarted || target.startup == nil,
                isReady: target.readiness != nil && target.isReady ? true : nil)
        }
    }

    private let events: EventLoop
    private let drivers: [String: any Driver]
    private let mailbox: Mailbox<ProbeWatcher.Message>
    private let report: @Sendable (Input) -> Void
    private var watched: [RunID: Watched] = [:]

    init(
        events: EventLoop, drivers: [String: any Driver], mailbox: Mailbox<ProbeWatcher.Message>,
        report: @escaping @Sendable (Input) -> Void
    ) {
        self.events = events
        self.drivers = drivers
        self.mailbox = mailbox
        self.report = report
    }

    func take(_ message: ProbeWatcher.Message) {
        switch message {
        case .begin(let target): begin(target)
        case .end(let run): end(run)
        case .executed(let run, let kind, let number, let result):
            guard let watched = watched[run], let asker = watched.askers[kind], asker.number == number else { return }
            switch result {
            case .exited(0): conclude(watched, kind, nil)
            case .exited(let code): conclude(watched, kind, "the command exited with code \(code)")
            case .timedOut: conclude(watched, kind, "no answer within \(asker.probe.timeoutMs / 1000) s")
            case .unstarted(_, let why), .failed(let why): conclude(watched, kind, why)
            }
        }
    }

    private func begin(_ target: ProbeTarget) {
        guard watched[target.run] == nil else { return }
        let new = Watched(target)
        watched[target.run] = new
        if target.startup != nil, !new.state.hasStarted {
            start(.startup, new)
        } else {
            startOthers(new)
        }
    }

    private func startOthers(_ watched: Watched) {
        start(.readiness, watched)
        start(.liveness, watched)
    }

    private func start(_ kind: ProbeKind, _ watched: Watched) {
        let target = watched.target
        let probe: AgentSpec.Probe? =
            switch kind {
            case .startup: target.startup
            case .readiness: target.readiness
            case .liveness: target.liveness
            }
        guard let probe else { return }
        let asker = Asker(probe)
        watched.askers[kind] = asker
        var delay = max(0, target.startedAtMs + probe.initialDelayMs - agentos_wall_ms())
        // Many that were there before are not asked all at once.
        if target.isReady { delay = max(delay, Int64(Double(probe.periodMs) * target.run.jitter)) }
        asker.next = events.after(ms: min(delay, probe.initialDelayMs + probe.periodMs)) { [unowned self] in
            ask(watched, kind)
        }
    }

    private func end(_ run: RunID) {
        guard let old = watched.removeValue(forKey: run) else { return }
        for asker in old.askers.values { stop(asker) }
    }

    private func stop(_ asker: Asker) {
        if let next = asker.next { events.cancel(next) }
        forgetQuestion(asker)
    }

    private func forgetQuestion(_ asker: Asker) {
        asker.number += 1
        if let timeout = asker.timeout { events.cancel(timeout) }
        asker.timeout = nil
        if asker.fd >= 0 {
            events.unwatch(asker.fd)
            close(asker.fd)
        }
        asker.fd = -1
        asker.answer = []
    }

    // MARK: One question

    private func ask(_ watched: Watched, _ kind: ProbeKind) {
        guard let asker = watched.askers[kind] else { return }
        let probe = asker.probe
        asker.next = events.after(ms: probe.periodMs) { [unowned self] in
            // One that is under way has its own time limit, and is not asked twice.
            if asker.timeout == nil { ask(watched, kind) } else { waitForAnswer(watched, kind) }
        }
        switch probe.action {
        case .exec(let command):
            // The driver keeps the time; this is for one that hangs itself.
            asker.timeout = events.after(ms: probe.timeoutMs + 5000) { [unowned self] in
                conclude(watched, kind, "the driver does not answer")
            }
            let (run, number, mailbox) = (watched.target.run, asker.number, mailbox)
            let execution = Execution(run: run, command: command, timeoutMs: probe.timeoutMs)
            drivers[watched.target.driver]?.execute(execution) {
                mailbox.send(.executed(run, kind, number: number, $0))
            }
        case .tcpSocket(let port): connect(watched, kind, asker, port, request: nil)
        case .httpGet(let path, let port, let headers):
            let request = ProbeRequest.bytes(path, host: "\(watched.target.address):\(port)", headers)
            connect(watched, kind, asker, port, request: request)
        }
    }

    private func waitForAnswer(_ watched: Watched, _ kind: ProbeKind) {
        guard let asker = watched.askers[kind] else { return }
        asker.next = events.after(ms: min(asker.probe.periodMs, 1000)) { [unowned self] in
            if asker.timeout == nil { ask(watched, kind) } else { waitForAnswer(watched, kind) }
        }
    }

    private func connect(_ watched: Watched, _ kind: ProbeKind, _ asker: Asker, _ port: Int, request: [UInt8]?) {
        asker.timeout = events.after(ms: asker.probe.timeoutMs) { [unowned self] in
            conclude(watched, kind, "no answer within \(asker.probe.timeoutMs / 1000) s")
        }
        // On this machine an agent may listen on either of the two that `localhost` means.
        let addresses = watched.target.address == "127.0.0.1" ? ["127.0.0.1", "::1"] : [watched.target.address]
        connect(watched, kind, asker, addresses[...], port, request: request)
    }

    private func connect(
        _ watched: Watched, _ kind: ProbeKind, _ asker: Asker, _ addresses: ArraySlice<String>, _ port: Int,
        request: [UInt8]?, refused: String? = nil
    ) {
        guard let address = addresses.first else { return conclude(watched, kind, refused) }
        let place = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        func next(_ code: Int32) {
            events.unwatch(asker.fd)
            if asker.fd >= 0 { close(asker.fd) }
            asker.fd = -1
            // What is told is the first: the other is there to be found, not to be missed.
            let words = refused ?? "\(place): \(String(cString: strerror(code)))"
            connect(watched, kind, asker, addresses.dropFirst(), port, request: request, refused: words)
        }
        let fd = agentos_connect_tcp(address, UInt16(port))
        guard fd >= 0 else { return next(errno) }
        asker.fd = fd
        events.watch(fd, events: 4) { [unowned self] _ in
            let error = agentos_socket_error(fd)
            guard error == 0 else { return next(error) }
            guard let request else { return conclude(watched, kind, nil) }
            // A fresh connection takes a request of this size at once.
            guard send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
                return conclude(watched, kind, "\(place): cannot send the request")
            }
            events.watch(fd) { [unowned self] _ in readStatus(watched, kind, asker, fd) }
        }
    }

    /// Reads until the status is there; the rest is not looked at.
    private func readStatus(_ watched: Watched, _ kind: ProbeKind, _ asker: Asker, _ fd: Int32) {
        var chunk = [UInt8](repeating: 0, count: 1024)
        let count = read(fd, &chunk, chunk.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        if count > 0 { asker.answer += chunk[..<count] }
        switch ProbeAnswer(asker.answer) {
        case .unfinished where count > 0 && asker.answer.count <= 8192: return
        case .unfinished, .foreign: conclude(watched, kind, "the answer is not HTTP")
        case .status(let status):
            conclude(watched, kind, (200..<400).contains(status) ? nil : "HTTP status \(status)")
        }
    }

    // MARK: Verdicts

    /// Counts an answer; `problem` is nil for success.
    private func conclude(_ watched: Watched, _ kind: ProbeKind, _ problem: String?) {
        guard let asker = watched.askers[kind] else { return }
        forgetQuestion(asker)
        asker.successes = problem == nil ? asker.successes + 1 : 0
        asker.failures = problem == nil ? 0 : asker.failures + 1
        let words = problem.map { "the \(kind.name) probe failed \(asker.failures) times: \($0)" } ?? ""
        var state = watched.state
        switch kind {
        case .startup:
            if problem == nil {
                state.hasStarted = true
                state.message = ""
                stop(asker)
                watched.askers[kind] = nil
                startOthers(watched)
            } else {
                state.message = "the startup probe has not succeeded: \(problem ?? "")"
                if asker.failures >= asker.probe.failureThreshold { state.failure = words }
            }
        case .readiness:
            if asker.successes >= asker.probe.successThreshold {
                state.isReady = true
                state.message = ""
            } else if asker.failures >= asker.probe.failureThreshold || (problem != nil && state.isReady == nil) {
                state.isReady = false
                // The count would make each failure another verdict.
                state.message = "the readiness probe fails: \(problem ?? "")"
            }
        case .liveness:
            if asker.failures >= asker.probe.failureThreshold { state.failure = words }
        }
        guard state != watched.state else { return }
        watched.state = state
        report(.probed(watched.target.run, state))
        // It ends now; nothing more is to be learned.
        if state.failure != nil { for asker in watched.askers.values { stop(asker) } }
    }
}
