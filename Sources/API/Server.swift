import CLinux
public import HTTP
public import Loop
import Machine
import Manifests
import Planner
public import Reconciler
import Resources
public import Values

/// The API: Kubernetes-style resources over HTTP on a unix socket.
///
/// Everything runs on the loop's thread. Handlers read `Loop.published`; changes go through `Loop.submit`.
public final class Server {
    let loop: Loop
    let eventLog: any EventLog
    let settings: Settings
    /// Looks at the file that waits to be restored; returns what is wrong with it, or nil when the daemon restarts with it.
    public var onRestore: () -> String? = { nil }
    /// Reads the daemon's settings again and says what came of it.
    public var onReload: (@escaping (Reload) -> Void) -> Void = { $0(.refused("there are no settings to read again")) }
    /// Where the daemon is reached over TLS; nil: nowhere.
    public var listening: Listening?
    /// Tokens of a file.
    public var staticTokens = StaticTokens()
    /// Makes a new key for Secrets, or takes one that was put first; called on a thread of its own.
    public var onRotate: @Sendable () throws(StoreFailure) -> SecretKeys = { () throws(StoreFailure) in
        throw .retry("there are no keys")
    }
    /// Makes and reads tokens of ServiceAccounts.
    public var accountTokens: AccountTokens
    /// What has become of spans: how many were sent, and how many dropped.
    public var spanCounts: () -> (sent: Int, dropped: Int) = { (0, 0) }
    private var throttle = Throttle()
    private var numbers = TraceNumbers()
    private var requestLog: RequestLog?
    let http: HTTPServer
    /// Leads to places in the table of routes.
    private let router = Router()
    /// Reads the event journal for those who ask for it, away from the loop.
    let files = Worker(name: "files")
    /// What that thread has read, for those who have asked.
    let logPieces = Mailbox<(id: Int, records: [LogRecord]?)>()
    let eventPieces = Mailbox<(id: Int, piece: EventFollower.Piece)>()
    var watches: [Int: Watch] = [:]
    var followers: [Int: EventFollower] = [:]
    var logFollowers: [Int: LogFollower] = [:]
    let commandMessages = Mailbox<(id: Int, message: CommandRelay.Message)>()
    var commands: [Int: CommandRelay] = [:]
    let dialled = Mailbox<(relay: Int, link: UInt32, result: DialResult)>()
    var portRelays: [Int: PortRelay] = [:]
    /// Connections that are being made, each on a thread.
    var dials = 0
    var heldLists = HeldLists()
    /// The documents of OpenAPI that somebody has asked for.
    var openAPIAnswers: [String: StaticAnswer] = [:]
    /// What runs had used at the last measurement, for rates.
    var samples: [RunID: Sample] = [:]
    private var lastStream = 0
    /// How long they took until their answers began, by what they are told apart by.
    private(set) var requests: [RequestCount: Histogram] = [:]
    /// Those that were refused before it was known what they want, by their codes.
    private(set) var rejections: [Int: Histogram] = [:]
    /// Who asks over the socket.
    private let root = Principal.peer(0, isMaster: true)
    private let owner: Principal

    public struct Settings {
        public var version: String
        public var stateDirectory: String
        public var ownUID: UInt32
        public var startedAtMs: Int64

        public init(version: String, stateDirectory: String, ownUID: UInt32, startedAtMs: Int64) {
            self.version = version
            self.stateDirectory = stateDirectory
            self.ownUID = ownUID
            self.startedAtMs = startedAtMs
        }
    }

    public init(loop: Loop, eventLog: any EventLog, accountTokens: AccountTokens, settings: Settings) {
        self.accountTokens = accountTokens
        self.loop = loop
        self.eventLog = eventLog
        self.settings = settings
        owner = .peer(settings.ownUID, isMaster: true)
        var limits = HTTPLimits()
        limits.connectionsMax = Limits.connectionsMax
        limits.remoteMax = Limits.remoteConnectionsMax
        limits.streamsMax = limits.connectionsMax - Limits.connectionsReserved
        limits.remoteStreamsMax = limits.remoteMax - Limits.connectionsReserved
        limits.bodyBytesMax = Limits.inputBytesMax
        limits.streamBytesMax = Limits.watchQueueBytesMax
        http = HTTPServer(events: loop.events, limits: limits)
        for (place, route) in Route.table.enumerated() { router.add(route.method.rawValue, route.pattern, place) }
    }

    /// Serves on a listening unix socket. Only the daemon's user and root are let in.
    public func start(listenFD: Int32) -> Bool {
        loop.onCommit = { [unowned self] changes in
            for watch in watches.values { watch.push(changes) }
        }
        loop.showEvents(
            in: EventWords { record, key, uid, count, firstMs, version in
                ToldEvent.document(record, key, uid, count: count, firstMs: firstMs, version: version)
            })
        loop.onPublished = { [unowned self] in
            for follower in followers.values { follower.pump() }
        }
        loop.events.receive(commandMessages) { [unowned self] messages in
            for (id, message) in messages { commands[id]?.take(message) }
        }
        loop.events.receive(dialled) { [unowned self] in takeDialled($0) }
        loop.events.receive(logPieces) { [unowned self] pieces in
            for (id, records) in pieces { logFollowers[id]?.take(records) }
        }
        loop.events.receive(eventPieces) { [unowned self] pieces in
            for (id, piece) in pieces { followers[id]?.take(piece) }
        }
        return http.start(listenFD: listenFD) { [unowned self] exchange in
            serve(exchange, newTrace(exchange.header("traceparent")))
        }
    }

    /// Serves those who come over TLS, too.
    public func serve(_ front: TLSFront) { http.serve(front) }

    /// Ends what clients have open, so that each sees that it has ended; `done` is called when they have, or have had
    /// their time.
    public func drain(_ done: @escaping () -> Void) {
        for command in commands.values { command.stop() }
        for relay in portRelays.values { relay.stop() }
        http.drain(ms: Limits.drainMs, hasBegun: loop.isCommitting, done)
    }

    /// Tells of every request from now on.
    public func logRequests(to file: any RequestLogFile) { requestLog = RequestLog(file, loop.events) }

    public func stop() {
        http.stop()
        requestLog?.flush()
    }

    /// A number for a stream, never given out again: what comes late for one that is gone finds nobody.
    func nextStream() -> Int {
        lastStream += 1
        return lastStream
    }

    // MARK: From a request to its handler

    /// Who is it, what do they want, may they, is there room: then the handler, or a refusal.
    ///
    /// - Parameter namespace: nothing else may be asked for; nil: there is no such wall.
    func serve(_ exchange: Exchange, _ trace: Trace, within namespace: String? = nil) {
        let beganNs = agentos_monotonic_ns()
        var asker: Principal?
        var understood: Call?
        do throws(Rejection) {
            let principal = try self.principal(exchange)
            asker = principal
            let call: Call
            do throws(Rejection) {
                try admit(exchange, principal)
                call = try understand(exchange, principal, trace, beganNs)
            } catch {
                // A stranger learns nothing, not even which paths there are.
                throw principal.via == .nothing && error.failure.code != 429 ? Rejection(.unauthorized) : error
            }
            understood = call
            if let spans = loop.spans, call.isChange { spans.begins(trace.id, trace.span, trace.parent?.isTold) }
            try authorize(call)
            if let namespace, !call.attributes.isWithin(namespace) { throw Rejection(.elsewhere(namespace)) }
            try limit(call)
            call.route.serve(self, call)
        } catch {
            let failure = error.failure
            if let call = understood {
                count(call, failure.code)
            } else {
                let path = Attributes(exchange.method.lowercased(), .path(exchange.target?.path ?? ""))
                requestLog?.note(asker, path, method: exchange.method, trace: trace.id, code: failure.code)
                let ns = agentos_monotonic_ns() - beganNs
                rejections[failure.code, default: Histogram(.short)].observe(ns) { trace.id }
            }
            exchange.respond(
                failure.code, "application/json", JSONWriter.bytes(failure.status(trace)),
                headers: failure.headers + error.headers + [trace.header])
        }
    }

    /// Not in another's name, and not more than others leave room for.
    private func admit(_ exchange: Exchange, _ principal: Principal) throws(Rejection) {
        do throws(Failure) { try refuseImpersonation(exchange, principal) } catch { throw Rejection(error) }
        if !principal.isMaster, !throttle.admits(principal.user, nowMs: agentos_boot_ms()) {
            throw Rejection(.tooMany("User \"\(principal.user)\" asks for too much at a time"))
        }
    }

    private func principal(_ exchange: Exchange) throws(Rejection) -> Principal {
        do throws(Failure) { return try identify(exchange) } catch { throw Rejection(error) }
    }

    private func authorize(_ call: Call) throws(Rejection) {
        let access = loop.access
        if let failure = call.route.rule.refusal(call.principal, call.attributes, access) { throw Rejection(failure) }
        guard call.route.resource?.storedKind?.traits.hidesData == true else { return }
        call.mayReveal = access.allows(call.principal, call.attributes(Self.reveal))
        if call.showsValues, !call.mayReveal {
            throw Rejection(.forbidden(call.principal, call.attributes(Self.reveal)))
        }
    }

    /// What must be allowed beside get, list or watch, to be shown the values of Secrets.
    static let reveal = "reveal"

    private func understand(
        _ exchange: Exchange, _ principal: Principal, _ trace: Trace, _ beganNs: Int64
    ) throws(Rejection) -> Call {
        if let problem = exchange.problem { throw Rejection(Failure(problem)) }
        guard let target = exchange.target else { throw Rejection(.noPath("")) }
        // A name that is empty is none; it does not mean all.
        if exchange.method == "DELETE", target.path.hasSuffix("/") { throw Rejection(.noPath(target.path)) }
        // HEAD is GET whose answer has no body.
        let method = exchange.method == "HEAD" ? "GET" : exchange.method
        switch router.match(method, target.segments) {
        case .none: throw Rejection(.noPath(target.path))
        case .otherMethods(let methods):
            let message = "\(exchange.method) is not supported for \(target.path)"
            throw Rejection(
                Failure(code: 405, reason: "MethodNotAllowed", message: message),
                headers: [("Allow", Self.allowed(methods).joined(separator: ", "))])
        case .found(let place, let names):
            let route = Route.table[place]
            do throws(ParameterProblem) {
                let parameters = try Parameters(target.query, allowed: route.parameters)
                return Call(self, exchange, route, names: names, principal, parameters, trace, beganNs)
            } catch {
                throw Rejection(.badRequest("\(error.name): \(error.message)"))
            }
        }
    }

    private static func allowed(_ methods: [String]) -> [String] {
        methods.contains("GET") ? (methods + ["HEAD"]).sorted() : methods
    }

    /// Answers that go on without an end leave room for short ones.
    private func limit(_ call: Call) throws(Rejection) {
        guard call.route.isEndless(call.parameters) else { return }
        if call.exchange.isMessage { throw Rejection(.noMessage) }
        if http.openStreams >= http.limits.streamsMax {
            throw Rejection(.tooMany("\(http.openStreams) streams are open; more are not served"))
        }
        if call.exchange.peer.isRemote, http.openRemoteStreams >= http.limits.remoteStreamsMax {
            throw Rejection(.tooMany("\(http.openRemoteStreams) streams are open over TLS; more are not served"))
        }
    }

    /// Each request is counted and noted once, when it is known how it ends.
    func count(_ call: Call, _ code: Int) {
        requestLog?.note(
            call.principal, call.attributes, method: call.exchange.method, trace: call.trace.id, code: code)
        // That it is not ready is no error of an answer.
        if call.route.rule != .anyone { loop.measure(.requests, isGood: code < 500) }
        loop.log.debug(.api, requestLine(call, code))
        tell(call, code)
        requests[RequestCount(call, code), default: Histogram(.short)].observe(
            agentos_monotonic_ns() - call.beganNs
        ) { call.trace.id }
    }

    /// A request that could not be understood is noted, too.
    func noteRefused(_ trace: Trace, code: Int) {
        requestLog?.note(nil, Attributes("", .path("")), method: "", trace: trace.id, code: code)
    }

    func newTrace(_ parent: String?) -> Trace { Trace(parent, numbers.next()) }

    /// What a change was asked for is the first part of its trace.
    private func tell(_ call: Call, _ code: Int) {
        guard let spans = loop.spans, call.isChange, spans.parent(call.trace.id) != nil else { return }
        let asked = call.attributes
        var attributes = [
            ("agentos.part", "api"), ("http.request.method", call.exchange.method),
            ("http.route", call.route.pattern), ("http.response.status_code", String(code)),
        ]
        if case .resource(_, _, _, let namespace, let name) = asked.target {
            attributes += [("agentos.namespace", namespace), ("agentos.name", name)]
        }
        spans.tell(
            "\(asked.verb) \(call.route.pattern)", .server, trace: call.trace.id, id: call.trace.span,
            parent: call.trace.parent?.span, call.beganNs, agentos_monotonic_ns(), attributes,
            failure: code >= 500 ? "answered with \(code)" : nil)
    }

    private func requestLine(_ call: Call, _ code: Int) -> LogLine {
        LogLine(
            .api, .debug, "request answered",
            [
                ("method", call.exchange.method), ("route", call.route.pattern), ("code", String(code)),
                ("us", String((agentos_monotonic_ns() - call.beganNs) / 1000)),
            ], trace: call.trace.id)
    }

    /// Who is at the other end of the socket; nil: neither root nor the user of the daemon.
    func local(_ uid: UInt32) -> Principal? { uid == 0 ? root : uid == settings.ownUID ? owner : nil }
}

/// Why a request does not reach its handler.
private struct Rejection: Error {
    let failure: Failure
    let headers: [(String, String)]

    init(_ failure: Failure, headers: [(String, String)] = []) {
        self.failure = failure
        self.headers = headers
    }
}
