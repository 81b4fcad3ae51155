import CLinux
import Glibc
import HTTPClient
import Manifests
import Values

/// Agents as one picture, once or as it changes.
final class StatusBoard {
    /// Agents whose last lines are shown.
    private static let toldMax = 5

    private let session: Session
    private let namespace: String?
    private let query: [(String, String)]
    private let names: Set<String>
    private let isWide: Bool
    private let isTree: Bool
    private var agents: [String: ObjectView] = [:]
    private var order: [String] = []
    private var version = "0"
    private var changes = ChangeReader()
    private var hasRequest = false
    /// What is wrong with sinks, and how that is asked again and again beside the watch.
    private var sinks: [String] = []
    private var sinksDueMs: Int64 = 0
    private var sinksAnswer: [UInt8] = []
    private var roles: [Role] = []

    private enum Role { case watch, sinks }

    private static let sinksMs: Int64 = 2_000

    init(
        _ session: Session, namespace: String?, query: [(String, String)], names: Set<String>, isWide: Bool,
        isTree: Bool
    ) {
        self.session = session
        self.namespace = namespace
        self.query = query
        self.names = names
        self.isWide = isWide
        self.isTree = isTree
    }

    private var asksSinks: Bool { names.isEmpty }

    private func load() throws {
        let listing = try session.list(.agent, namespace: namespace, query: query) { node -> ObjectView? in
            let agent = ObjectView(node)
            return names.isEmpty || names.contains(agent.name) ? agent : nil
        }
        version = listing.version
        order = listing.rows.map { Awaited.key($0.namespace, $0.name) }
        agents = Dictionary(zip(order, listing.rows), uniquingKeysWith: { first, _ in first })
    }

    private var picture: StatusPicture {
        StatusPicture(
            order.compactMap { agents[$0] }, isWide: isWide, hasColor: Terminal.hasColor, nowMs: agentos_wall_ms())
    }

    func show() throws -> ExitCode {
        try load()
        let found = Set(agents.values.map(\.name))
        let missing = names.filter { !found.contains($0) }.sorted()
        for name in missing { Terminal.printError("\(Kind.agent.qualifiedResource) \"\(name)\" not found") }
        let picture = picture
        if agents.isEmpty {
            if names.isEmpty { Terminal.note("No agents\(namespace.map { " in namespace \($0)" } ?? "").") }
        } else {
            try Terminal.print(isTree ? picture.tree : picture.table)
        }
        for line in try asksSinks ? session.sinkProblems() : [] {
            try Terminal.print("\n\(line); 'agentos-apply outbox sinks' shows them")
        }
        for (index, problem) in picture.problems.enumerated() {
            try Terminal.print("\n\(problem.text)")
            guard index < Self.toldMax, let ordinal = problem.ordinal else { continue }
            let last = session.lastLines(of: problem.agent, in: problem.namespace, ordinal: ordinal)
            if !last.isEmpty { try Terminal.print(last.map { "  | \($0)\n" }.joined()) }
        }
        return missing.isEmpty ? .success : .failure
    }

    // MARK: Following

    /// Draws anew in the same place whenever something has come.
    func follow() throws -> ExitCode {
        try load()
        sinks = try asksSinks ? session.sinkProblems() : []
        sinksDueMs = agentos_boot_ms() + Self.sinksMs
        try draw(clears: true)
        try session.stream(
            next: { [unowned self] in request() },
            take: { [unowned self] index, bytes in try take(roles[index], bytes) },
            end: { [unowned self] index, result in
                if roles[index] == .sinks { return try endSinks(result) }
                if case .success(let response) = result, !response.isSuccess, response.status != 410 {
                    throw session.problem(response)
                }
                usleep(200_000)
                changes = ChangeReader()
                hasRequest = false
                try load()
                try draw(clears: false)
                return true
            })
        return .success
    }

    private func request() -> Client.Request? {
        if hasRequest { return sinksRequest() }
        hasRequest = true
        roles.append(.watch)
        var request = Client.Request("GET", Session.path(.agent, namespace: namespace), query: query)
        request.query += [("watch", "true"), ("resourceVersion", version)]
        request.timeoutMs = nil
        return request
    }

    private func sinksRequest() -> Client.Request? {
        guard asksSinks, agentos_boot_ms() >= sinksDueMs else { return nil }
        sinksDueMs = .max
        roles.append(.sinks)
        return Client.Request("GET", SinkView.path)
    }

    /// What was known stays when there is no answer: the daemon may be on its way.
    private func endSinks(_ result: Result<Client.Response, Client.Failure>) throws -> Bool {
        let bytes = sinksAnswer
        sinksAnswer = []
        sinksDueMs = agentos_boot_ms() + Self.sinksMs
        guard case .success(let response) = result, response.isSuccess else { return true }
        let found = try SinkView.problems(session.node(Client.Response(body: bytes)))
        if found == sinks { return true }
        sinks = found
        try draw(clears: false)
        return true
    }

    private func take(_ role: Role, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
        if role == .sinks {
            sinksAnswer += bytes
            return true
        }
        var hasChanged = false
        let goesOn = try changes.feed(bytes) { change in
            hasChanged = meet(change) || hasChanged
            return true
        }
        if hasChanged { try draw(clears: false) }
        return goesOn
    }

    private func meet(_ change: Change) -> Bool {
        let object = change.object
        guard names.isEmpty || names.contains(object.name) else { return false }
        let key = Awaited.key(object.namespace, object.name)
        if change.isDeletion {
            agents[key] = nil
            order.removeAll { $0 == key }
        } else if agents.updateValue(object, forKey: key) == nil {
            order.insert(key, at: order.firstIndex { $0 > key } ?? order.count)
        }
        return true
    }

    private func draw(clears: Bool) throws {
        let picture = picture
        let text = isTree ? picture.tree : picture.table
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let room = max(2, (Terminal.rows ?? 24) - 2 - sinks.count)
        let more = lines.count - room
        if more > 0 { lines = lines.prefix(room) }
        let foot = picture.summary + (more > 0 ? "; \(more) more lines have no room here" : "")
        // Without wrapping, each line stays one; each ends whatever stood behind it before.
        let screen = (lines.map(String.init) + sinks + [foot]).map { "\($0)\u{1b}[K" }.joined(separator: "\n")
        try Terminal.write(
            Array("\u{1b}[?7l\(clears ? "\u{1b}[2J" : "")\u{1b}[H\(screen)\u{1b}[J\u{1b}[?7h\n".utf8)[...])
    }
}
