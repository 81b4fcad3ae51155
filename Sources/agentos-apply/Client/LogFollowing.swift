import CLinux
import Glibc
import HTTPClient
import Manifests
import Values

/// Follows the logs of replicas, also of those that come later.
final class LogFollowing {
    /// Replicas that are followed at once.
    private static let streamsMax = 500

    private let session: Session
    private let style: LogStyle
    private let namespace: String?
    private let query: [(String, String)]
    /// Nil: all that the query gives.
    private let names: Set<String>?
    private let ordinal: Int?
    private let request: (LogSource, _ isLater: Bool) -> Client.Request

    fileprivate enum Role {
        case log(LogSource)
        case watch
    }

    /// A replica that is followed, through all of its runs.
    private struct Followed {
        var text: LogText
        var place: LogPlace
        /// Of its agent.
        var uid: Substring
        var resumedMs: Int64?
        /// Its runs are over, and what they wrote is read once more: the daemon may have ended before it was read.
        var isLastLook = false
    }

    private var roles: [Role] = []
    private var open: [LogSource: Followed] = [:]
    private var waiting: [(Role, Client.Request)] = []
    /// Runs that were followed: what has ended is not shown again.
    private var seen: Set<String> = []
    private var changes = ChangeReader()
    private var hasBegun = false

    init(
        _ session: Session, _ style: LogStyle, namespace: String?, query: [(String, String)], names: Set<String>?,
        ordinal: Int?, _ request: @escaping (LogSource, _ isLater: Bool) -> Client.Request
    ) {
        self.session = session
        self.style = style
        self.namespace = namespace
        self.query = query
        self.names = names
        self.ordinal = ordinal
        self.request = request
    }

    func run() throws {
        // Each replica that is followed over TLS takes three.
        OpenFiles.raise()
        try look(isLater: false)
        try session.stream(
            next: { [unowned self] in next() },
            take: { [unowned self] index, bytes in try take(index, bytes) },
            end: { [unowned self] index, result in try end(index, result) })
    }

    private func next() -> Client.Request? {
        guard !waiting.isEmpty else { return nil }
        let (role, request) = waiting.removeFirst()
        roles.append(role)
        return request
    }

    /// Lists the agents, and has their changes told from there on.
    private func look(isLater: Bool) throws {
        let listing = try session.list(.agent, namespace: namespace, query: query) { ObjectView($0) }
        for agent in listing.rows { try meet(agent, isLater: isLater) }
        var request = Client.Request("GET", Session.path(.agent, namespace: namespace), query: query)
        request.query += [("watch", "true"), ("resourceVersion", listing.version)]
        request.timeoutMs = nil
        waiting.append((.watch, request))
    }

    /// Begins with replicas that are not followed yet.
    private func meet(_ object: ObjectView, isLater: Bool) throws {
        guard names?.contains(object.name) ?? true else { return }
        for run in AgentView(object).runs where ordinal == nil || ordinal == run.ordinal {
            guard let id = run.id else { continue }
            let source = LogSource(namespace: object.namespace, agent: object.name, ordinal: run.ordinal)
            let isNew = seen.insert(id).inserted
            guard open[source] == nil, isNew else { continue }
            guard open.count < Self.streamsMax else {
                throw CommandProblem(
                    .invalid, "more than \(Self.streamsMax) replicas: choose fewer by names, -l LABELS or --replica")
            }
            open[source] = Followed(
                text: LogText(source, style), place: LogPlace(keepsTimes: style.needsTimes),
                uid: id.prefix(Self.uidCount))
            hasBegun = true
            waiting.append((.log(source), request(source, isLater)))
        }
    }

    private func take(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
        switch roles[index] {
        case .log(let source):
            guard let text = open[source]?.place.take(bytes) else { return true }
            // An agent's bytes need not be text, nor end with a line.
            let out = style.isPlain ? text : open[source]?.text.take(text) ?? []
            if !out.isEmpty { try Terminal.write(out[...]) }
        case .watch:
            return try changes.feed(bytes) { change in
                if !change.isDeletion { try meet(change.object, isLater: true) }
                return true
            }
        }
        return true
    }

    private func end(_ index: Int, _ result: Result<Client.Response, Client.Failure>) throws -> Bool {
        switch roles[index] {
        case .log(let source):
            switch result {
            case .failure(.cut(let why)):
                // The daemon has died, perhaps: whether another serves is seen by asking.
                let isOver: Bool
                do { isOver = try self.isOver(source) } catch { throw session.problem(.cut(why)) }
                if !isOver { return resume(source) }
            case .failure(let failure): throw session.problem(failure)
            case .success(let response):
                if !response.isSuccess, response.status != 404 { throw session.problem(response) }
                if response.isSuccess, try !isOver(source) { return resume(source) }
            }
            try close(source)
            // Of agents that are named nothing more is to be expected when all have ended.
            return names == nil || !open.isEmpty || !hasBegun || waiting.contains { !$0.0.isWatch }
        case .watch:
            changes = ChangeReader()
            if case .success(let response) = result, !response.isSuccess, response.status != 410 {
                throw session.problem(response)
            }
            // The daemon ended it, or went away: what has changed is seen in a new list.
            try look(isLater: true)
            return true
        }
    }
}

extension LogFollowing {
    /// Digits that the id of a run begins with.
    private static let uidCount = 32
    private static let pauseUs: UInt32 = 200_000

    /// For a service manager to start another daemon.
    private static let arrivalMs: Int64 = 5_000

    /// Whether a replica writes nothing more; otherwise it was the daemon that ended.
    private func isOver(_ source: LogSource) throws -> Bool {
        let untilMs = agentos_boot_ms() + Self.arrivalMs
        while true {
            do { return try isOverNow(source) } catch let problem as CommandProblem {
                guard problem.code == .noDaemon, agentos_boot_ms() < untilMs else { throw problem }
                usleep(Self.pauseUs)
            }
        }
    }

    private func isOverNow(_ source: LogSource) throws -> Bool {
        let path = Session.path(.agent, namespace: source.namespace, name: source.agent)
        let response = try session.answer(Client.Request("GET", path))
        if response.status == 404 { return true }
        if !response.isSuccess { throw session.problem(response) }
        let agent = AgentView(ObjectView(try session.node(response)))
        guard let run = agent.runs.first(where: { $0.ordinal == source.ordinal }), let id = run.id,
            id.prefix(Self.uidCount) == open[source]?.uid
        else { return true }
        guard ["Completed", "Stopped"].contains(run.phase) || (run.phase == "Failed" && agent.isNeverRestarted) else {
            return false
        }
        defer { open[source]?.isLastLook = true }
        return open[source]?.isLastLook ?? true
    }

    /// Goes on where it was.
    private func resume(_ source: LogSource) -> Bool {
        let now = agentos_boot_ms()
        if let last = open[source]?.resumedMs, now - last < 1000 { usleep(Self.pauseUs) }
        open[source]?.resumedMs = now
        let time = open[source]?.place.time ?? ""
        var request = request(source, !time.isEmpty)
        if !time.isEmpty { request.query.append(("sinceTime", time)) }
        open[source]?.place.resume()
        waiting.append((.log(source), request))
        return true
    }

    private func close(_ source: LogSource) throws {
        guard var followed = open.removeValue(forKey: source) else { return }
        let held = followed.place.end()
        let rest = style.isPlain ? held : followed.text.take(held) + followed.text.end()
        if !rest.isEmpty { try Terminal.write(rest[...]) }
    }
}

extension LogFollowing.Role {
    fileprivate var isWatch: Bool { if case .watch = self { true } else { false } }
}
