import CLinux
import Glibc
import HTTPClient
import Manifests

extension Session {
    /// Objects of which each is told what it lacks.
    private static let lateToldMax = 20

    /// Waits until all objects reach the goal, one fails for good, or the time is up; says what happens meanwhile.
    ///
    /// - Parameter crashesMax: of one replica, after which it has failed for good; nil: none is too many.
    func awaitAll(
        _ objects: [Awaited], _ goal: Goal, timeoutMs: Int64, crashesMax: Int? = nil, tellsDeletions: Bool = false
    ) throws -> ExitCode {
        let (deadlineMs, overflow) = agentos_boot_ms().addingReportingOverflow(timeoutMs)
        var waiting = Awaiting(
            objects, goal, deadlineMs: overflow ? .max : deadlineMs, crashesMax: crashesMax,
            tellsDeletions: tellsDeletions)
        defer { Terminal.live("") }
        while true {
            switch waiting.next(nowMs: agentos_boot_ms()) {
            case .look(let kind, _): try look(kind, &waiting)
            case .end(.met): return .success
            case .end(.failed): return .definiteFailure
            case .end(.missing(let names)):
                for name in names { Terminal.printError("\(name) not found") }
                return .failure
            case .end(.timedOut(let late)):
                Terminal.live("")
                for object in late.prefix(Self.lateToldMax) {
                    Terminal.printError(object.text(goal, afterMs: timeoutMs))
                }
                let more = late.count - Self.lateToldMax
                if more > 0 { Terminal.printError("timed out waiting for \(more) more \(goal.words)") }
                return .timeout
            }
        }
    }

    /// One list, and the changes after it for as long as they are what is waited for.
    private func look(_ kind: Kind, _ waiting: inout Awaiting) throws {
        let indices = waiting.open(kind)
        let byKey = Dictionary(indices.map { (waiting[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
        // No more is read than what is waited for.
        let namespaces = Set(indices.map { waiting[$0].namespace })
        let namespace = namespaces.count == 1 && kind.isNamespaced ? namespaces.first : nil
        let query = indices.count == 1 ? [("fieldSelector", "metadata.name=\(waiting[indices[0]].name)")] : []

        let listing = try list(kind, namespace: namespace, query: query) { node -> (String, ObjectView)? in
            let object = ObjectView(node)
            let key = Awaited.key(object.namespace, object.name)
            return byKey[key] == nil ? nil : (key, object)
        }
        let found = Dictionary(listing.rows, uniquingKeysWith: { first, _ in first })
        for index in indices {
            try tell(waiting.observe(index, found[waiting[index].key], nowMs: agentos_boot_ms()), index, waiting)
        }
        guard case .look(kind, let until?) = waiting.next(nowMs: agentos_boot_ms()) else { return }

        var request = Client.Request("GET", Self.path(kind, namespace: namespace), query: query)
        request.query += [("watch", "true"), ("resourceVersion", listing.version)]
        request.timeoutMs = until - agentos_boot_ms()
        let end = try withoutActuallyEscaping(
            { (change: Change) throws -> Bool in
                let key = Awaited.key(change.object.namespace, change.object.name)
                guard let index = byKey[key] else { return true }
                let now = agentos_boot_ms()
                try tell(waiting.observe(index, change.isDeletion ? nil : change.object, nowMs: now), index, waiting)
                return waiting.next(nowMs: now) == .look(kind, followUntilMs: until)
            }, do: { try watch(request, take: $0) })
        // The daemon went away or dropped us: list again, after a moment.
        if end == .ended { usleep(200_000) }
    }

    private func tell(_ news: Awaiting.News?, _ index: Int, _ waiting: Awaiting) throws {
        switch news {
        case .result(let line):
            Terminal.live("")
            try Terminal.print(line.printable)
        case .progress(let line): if !Terminal.isInteractive { try Terminal.print(line.printable) }
        case .crashed(let line, let ordinal):
            Terminal.live("")
            try Terminal.print(line.printable)
            let object = waiting[index]
            let last = lastLines(of: object.name, in: object.namespace, ordinal: ordinal)
            if !last.isEmpty { try Terminal.print("its last lines:\n" + last.map { "  | \($0)\n" }.joined()) }
        case nil: break
        }
        if Terminal.isInteractive, let summary = waiting.summary { Terminal.live(summary.printable) }
    }
}

extension Session {
    private static let lastLinesMax = 5
    private static let lastLineCharactersMax = 400
    private static let lastLinesMs: Int64 = 15_000

    /// What a replica wrote last, or why that cannot be had; nothing where it wrote nothing.
    func lastLines(of agent: String, in namespace: String, ordinal: Int, ofRunBefore: Bool = false) -> [String] {
        let path = Self.path(.agent, namespace: namespace, name: agent)
        var request = Client.Request(
            "GET", "\(path)/log", query: [("ordinal", String(ordinal)), ("tailLines", String(Self.lastLinesMax))])
        if ofRunBefore { request.query.append(("previous", "true")) }
        request.timeoutMs = Self.lastLinesMs
        let response: Client.Response
        do { response = try answer(request) } catch {
            let why = (error as? CommandProblem)?.message.firstLine ?? "\(error)"
            return ["(cannot be shown: \(why.printable); see 'agentos-apply logs \(agent) -n \(namespace)')"]
        }
        // There may be no log any more; those who may not read it learn nothing.
        guard response.isSuccess else { return [] }
        // Control characters of an agent have no business on somebody's terminal.
        return String(decoding: response.body, as: UTF8.self).split(whereSeparator: \.isLineEnd).map { line in
            String(line.prefix(Self.lastLineCharactersMax)).printable
        }
    }
}

extension Awaited {
    static func key(_ namespace: String, _ name: String) -> String { "\(namespace)/\(name)" }

    var key: String { Self.key(namespace, name) }
}
