import HTTPClient
import Manifests
import Values

struct Events: Verb {
    static let name = "events"
    static let usage = "events"
    static let text = "Show events in the order of their delivery."

    enum Format: String, OutputChoice {
        case table, wide, json
    }

    @Option("namespace", short: "n", value: "NAME", "only those of this namespace") var given: String?
    @Flag("all-namespaces", short: "A", "all namespaces") var isEverywhere
    @Flag("follow", short: "f", "go on as events come") var follows
    @Option("since-position", value: "N", in: 0...Int.max, "only later events") var position: Int?
    @Option("consumer", value: "NAME", "start where this durable consumer stands") var consumer: String?
    @Flag("ack", "acknowledge what was shown, for --consumer; with -f again and again") var acknowledges
    @Flag("remove", "forget the --consumer") var removes
    @Option("output", short: "o", value: "FORMAT", "table, wide or json") var format = Format.table

    func run(_ invocation: Invocation) throws -> ExitCode {
        try invocation.takeNoWords()
        let session = try invocation.session()
        let consumerPath = consumer.map { "/apis/agentos.dev/v1/consumers/\(Percent.encode($0))" }
        if removes {
            guard let consumer, let consumerPath else { throw invocation.usage("--remove needs --consumer NAME") }
            _ = try session.send(Client.Request("DELETE", consumerPath))
            try Terminal.print("consumer \"\(consumer)\" removed")
            return .success
        }
        if acknowledges, consumer == nil { throw invocation.usage("--ack needs --consumer NAME") }
        try show(session) { last in
            guard acknowledges, let consumerPath else { return }
            let query = [("position", String(last.event.position)), ("offset", String(last.offset))]
            _ = try session.send(Client.Request("POST", consumerPath, query: query, body: []))
        }
        return .success
    }

    /// So many are shown again at most when it ends before it has acknowledged them.
    private static let unacknowledgedMax = 100

    /// - Parameter acknowledge: is given the last event that was shown, whenever a hundred were, or all that have come.
    private func show(_ session: Session, _ acknowledge: @escaping (EventLogView) throws -> Void) throws {
        var request = Client.Request("GET", "/apis/agentos.dev/v1/eventlog")
        request.timeoutMs = nil
        if follows { request.query.append(("follow", "true")) }
        if let position { request.query.append(("sincePosition", String(position))) }
        if !isEverywhere, let namespace = given { request.query.append(("namespace", namespace)) }
        if let consumer { request.query.append(("consumer", consumer)) }
        var isFirst = true
        var shown: [EventLogView] = []
        func settle() throws {
            if let last = shown.last { try acknowledge(last) }
            shown = []
        }
        do {
            let response = try session.client.lines(request) { line in
                guard let entry = EventLogView(try Answer.node(line)) else {
                    throw Client.Failure.notUnderstood("a line without an event")
                }
                switch format {
                case .json: try Terminal.print(JSONWriter.text(entry.event.node))
                case .table, .wide:
                    if isFirst { try Terminal.print(EventLine.header) }
                    try Terminal.print(EventLine.text(entry.event))
                }
                isFirst = false
                shown.append(entry)
                if shown.count >= Self.unacknowledgedMax { try settle() }
                return true
            } pause: {
                // Of an answer that ends by itself the end is acknowledged.
                if follows { try settle() }
            }
            if !response.isSuccess { throw session.problem(response) }
            try settle()
        } catch let failure as Client.Failure { throw session.problem(failure) }
    }
}

/// A line of a table that grows: its widths cannot be known before.
enum EventLine {
    static let header = line(["POSITION", "TIME", "TYPE", "OBJECT", "RUN", "REASON"])

    static func text(_ event: EventView) -> String {
        line([
            String(event.position), event.occurredAt ?? "", event.type, event.objectName, event.run, event.detail,
        ])
    }

    private static func line(_ cells: [String]) -> String {
        var line = ""
        for (cell, width) in zip(cells, [8, 24, 17, 24, 5, 0]) {
            let cell = cell.printable
            line += cell + String(repeating: " ", count: max(0, width - cell.count)) + (width > 0 ? "  " : "")
        }
        return line
    }
}
