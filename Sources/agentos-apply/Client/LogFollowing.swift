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

    private var roles: [Role] = []
    private var texts: [Int: LogText] = [:]
    private var open: Set<LogSource> = []
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
        try look(isLater: false)
        try session.stream(
            next: { [unowned self] in next() },
            take: { [unowned self] index, bytes in try take(index, bytes) },
            end: { [unowned self] index, result in try end(index, result) })
    }

    private func next() -> Client.Request? {
        guard !waiting.isEmpty else { return nil }
        let (role, request) = waiting.removeFirst()
        if case .log(let source) = role { texts[roles.count] = LogText(source, style) }
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
            guard !open.contains(source), isNew else { continue }
            guard open.count < Self.streamsMax else {
                throw CommandProblem(
                    .invalid, "more than \(Self.streamsMax) replicas: choose fewer by names, -l LABELS or --replica")
            }
            open.insert(source)
            hasBegun = true
            waiting.append((.log(source), request(source, isLater)))
        }
    }

    private func take(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
        switch roles[index] {
        case .log:
            if style.isPlain {
                try Terminal.write(Array(bytes)[...])
            } else if let out = texts[index]?.take(bytes), !out.isEmpty {
                try Terminal.write(out[...])
            }
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
            open.remove(source)
            let rest = texts[index]?.end() ?? []
            texts[index] = nil
            if !rest.isEmpty { try Terminal.write(rest[...]) }
            switch result {
            case .failure(let failure): throw session.problem(failure)
            case .success(let response):
                if !response.isSuccess, response.status != 404 { throw session.problem(response) }
            }
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

extension LogFollowing.Role {
    fileprivate var isWatch: Bool { if case .watch = self { true } else { false } }
}
