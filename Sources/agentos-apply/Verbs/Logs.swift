import CLinux
import HTTPClient
import Manifests
import Values

struct Logs: Verb {
    static let name = "logs"
    static let usage = "logs AGENT… | -l LABELS | -A"
    static let text = "Show what agents wrote to standard output and error; of all replicas, unless one is chosen."
    static let operands = Operands.names(.agent)

    enum Format: String, OutputChoice {
        case text, json
    }

    let scope = ScopeOptions()
    let selector = SelectorOption()
    @Flag("follow", short: "f", "go on as logs grow, over restarts, and with replicas that come later") var follows
    @Option("tail", value: "LINES", in: 0...10_000_000, "only the last lines of each replica") var tail: Int?
    @Flag("previous", short: "p", "of the run before") var isOfThePrevious
    @Option("run", value: "N", in: 1...Int.max, "of this attempt, as far as its log is kept") var attempt: Int?
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "of this replica only") var ordinal: Int?
    @Option("since", value: "TIME", "lines that are no older, such as 5m") var since: Span?
    @Option("since-time", value: "WHEN", "lines since then: 2006-01-02T15:04:05Z") var sinceTime: String?
    @Option("until", value: "WHEN", "lines up to then: 2006-01-02T15:04:05Z, or so long ago: 5m") var until: String?
    @Option("grep", value: "PATTERN", "lines that match, as of grep -E") var grep: String?
    @Flag("timestamps", "with the time of each line") var hasTimestamps
    @Flag("prefix", "name the replica before each line, also when there is one") var prefixes
    @Flag("no-prefix", "never name the replica") var hasNoPrefix
    @Option("output", short: "o", value: "FORMAT", "text or json, an object for each line") var format = Format.text

    func run(_ invocation: Invocation) throws -> ExitCode {
        let isChosen = selector.isGiven || scope.isAll
        let targets = try invocation.targets(
            invocation.words, usual: .agent, among: [.agent], does: "shown by logs")
        if targets.isEmpty, !isChosen { throw invocation.usage("give at least one AGENT, -l LABELS or -A") }
        if !targets.isEmpty, isChosen { throw invocation.usage("give either names, or -l LABELS and -A") }
        if isOfThePrevious, attempt != nil { throw invocation.usage("give either --previous or --run") }
        if since != nil, sinceTime != nil { throw invocation.usage("give either --since or --since-time") }
        if follows, until != nil { throw invocation.usage("give either --follow or --until") }
        if let name = targets.map(\.name).first(where: { $0.contains { ",=!()".contains($0) } }) {
            throw invocation.usage("\"\(name)\" is no name: give several agents as separate words, and labels with -l")
        }
        var style = try style(invocation)
        let session = try invocation.session()
        let namespace = scope.isAll ? nil : scope.namespace ?? "default"
        let names = isChosen ? nil : Set(targets.map(\.name))
        let query = selector.query(name: names?.count == 1 ? names?.first : nil)

        let agents = try session.list(.agent, namespace: namespace, query: query) { ObjectView($0) }.rows
            .filter { names?.contains($0.name) ?? true }
        var code = ExitCode.success
        for name in (names ?? []).sorted() where !agents.contains(where: { $0.name == name }) {
            Terminal.printError("\(Kind.agent.qualifiedResource) \"\(name)\" not found")
            code = .failure
        }
        if agents.isEmpty, names != nil { return code }
        let replicas = agents.map { AgentView($0).replicas ?? 1 }.reduce(0, +)
        let isOne = ordinal != nil ? agents.count == 1 : replicas <= 1
        if !hasNoPrefix, prefixes || isChosen || !isOne { style.prefix = scope.isAll ? .namespace : .replica }
        if follows, !isOfThePrevious, attempt == nil {
            let following = LogFollowing(
                session, style, namespace: namespace, query: query, names: names, ordinal: ordinal
            ) { source, isLater in
                // Of a replica that comes later, everything is new; times tell where to go on under another daemon.
                request(source, needsTimes: true, follows: true, isWhole: isLater)
            }
            try following.run()
            return code
        }
        let shown = try show(sources(agents), style, session)
        return shown == .success ? code : shown
    }

    private func style(_ invocation: Invocation) throws -> LogStyle {
        var style = LogStyle()
        style.hasColor = Terminal.hasColor
        style.hasTimes = hasTimestamps
        style.isJSON = format == .json
        do throws(Mistake) { style.pattern = try grep.map { text throws(Mistake) in try LinePattern(text) } } catch {
            throw invocation.usage("--grep: \(error.message)")
        }
        if let until {
            let ago = Durations.milliseconds(Int64(until) == nil ? until : "\(until)s")
            guard let ms = Timestamp.parse(until) ?? ago.map({ agentos_wall_ms() - $0 }) else {
                throw invocation.usage(
                    "--until: expected a time such as 2006-01-02T15:04:05Z or 5m, found \"\(until)\"")
            }
            style.until = String(Timestamp.milliseconds(ms).dropLast())
        }
        return style
    }

    /// Replicas that have run, or the one that is wanted, whether or not.
    private func sources(_ agents: [ObjectView]) -> [LogSource] {
        agents.flatMap { agent in
            let ran = AgentView(agent).runs.filter { $0.id != nil }.map(\.ordinal)
            return (ordinal.map { [$0] } ?? (ran.isEmpty ? [0] : ran)).map {
                LogSource(namespace: agent.namespace, agent: agent.name, ordinal: $0)
            }
        }
    }

    private func request(
        _ source: LogSource, needsTimes: Bool, follows: Bool, isWhole: Bool
    ) -> Client.Request {
        let path = Session.path(.agent, namespace: source.namespace, name: source.agent)
        var request = Client.Request("GET", "\(path)/log", query: [("ordinal", String(source.ordinal))])
        request.timeoutMs = nil
        if follows { request.query.append(("follow", "true")) }
        if isOfThePrevious { request.query.append(("previous", "true")) }
        if let attempt { request.query.append(("attempt", String(attempt))) }
        if needsTimes { request.query.append(("timestamps", "true")) }
        if isWhole { return request }
        if let tail { request.query.append(("tailLines", String(tail))) }
        if let since { request.query.append(("sinceSeconds", String(max(1, (since.ms + 999) / 1000)))) }
        if let sinceTime { request.query.append(("sinceTime", sinceTime)) }
        return request
    }

    private static let absentToldMax = 5

    /// One after the other, each whole. Of several, one that has nothing to show does not hold the others up.
    private func show(_ sources: [LogSource], _ style: LogStyle, _ session: Session) throws -> ExitCode {
        var absent: [CommandProblem] = []
        for source in sources {
            var text = LogText(source, style)
            let request = request(source, needsTimes: style.needsTimes, follows: false, isWhole: false)
            let response: Client.Response
            do {
                response = try session.client.receive(request) { bytes in
                    // An agent's bytes need not be text, nor end with a line.
                    let out = style.isPlain ? Array(bytes) : text.take(bytes)
                    if !out.isEmpty { try Terminal.write(out[...]) }
                    return !text.isOver
                }
            } catch let failure as Client.Failure { throw session.problem(failure) }
            let rest = text.end()
            if !rest.isEmpty { try Terminal.write(rest[...]) }
            if response.isSuccess { continue }
            let problem = session.problem(response)
            guard response.status == 404 else { throw problem }
            absent.append(problem)
        }
        if absent.count == sources.count, let first = absent.first { throw first }
        for problem in absent.prefix(Self.absentToldMax) { Terminal.note(problem.message) }
        let more = absent.count - Self.absentToldMax
        if more > 0 { Terminal.note("\(more) more replicas have nothing to show") }
        return .success
    }
}
