import HTTPClient
import Values

struct Outbox: Verb {
    static let name = "outbox"
    static let usage = "outbox list | sinks | show N | replay N | skip N | drop N | forget"
    static let operands = Operands.words(["list", "sinks", "show", "replay", "skip", "drop", "forget"])
    static let text = "Look at events whose delivery is stuck, and resolve them."

    @Flag("all", "all events that are kept, not only stuck ones") var isAll
    @Option("sink", value: "NAME", "what this named sink has not taken; without N, all of it") var sink: String?
    let output = OutputOption()

    private static let path = "/apis/agentos.dev/v1/outbox"

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let words = invocation.words
        switch (words.first ?? "list", words.count) {
        case ("list", 0...1): try list(session)
        case ("sinks", 1): try listSinks(session)
        case ("show", 2):
            let record = try session.node("GET", Self.place(words[1]), query: query)
            if try isShown(record) { break }
            for row in try record.items() { try Terminal.print(YAMLWriter.text(row)) }
        case ("replay", 2), ("skip", 2),
            ("drop", 2) where sink != nil:
            let path = "\(Self.place(words[1]))/\(words[0])"
            _ = try session.send(Client.Request("POST", path, query: query, body: []))
            try Terminal.print("event \(words[1]) \(Self.outcome(words[0]))")
        case ("replay", 1), ("skip", 1), ("drop", 1):
            guard let sink else { throw invocation.usage("expected N, or --sink NAME") }
            _ = try session.send(Client.Request("POST", "\(Self.place(of: sink))/\(words[0])", body: []))
            try Terminal.print("all that \(sink) has not taken \(Self.outcome(words[0]))")
        case ("forget", 1):
            guard let sink else { throw invocation.usage("expected --sink NAME") }
            _ = try session.send(Client.Request("DELETE", Self.place(of: sink), body: []))
            try Terminal.print("sink \(sink) is forgotten")
        default:
            throw invocation.usage(
                "expected list, sinks, show N, replay N or skip N; with --sink NAME also drop N, forget, or replay, skip and drop without N"
            )
        }
        return .success
    }

    private var query: [(String, String)] { sink.map { [("sink", $0)] } ?? [] }

    private static func place(_ position: String) -> String { "\(path)/\(Percent.encode(position))" }
    private static func place(of sink: String) -> String { "\(SinkView.path)/\(Percent.encode(sink))" }

    private static func outcome(_ word: String) -> String {
        switch word {
        case "replay": "is delivered again"
        case "skip": "is skipped"
        default: "is dropped, with what waits behind it"
        }
    }

    /// Prints an answer whole where that was asked for; false: a person reads it.
    private func isShown(_ answer: Node) throws -> Bool {
        switch output.format {
        case .json: try Terminal.print(JSONWriter.text(answer))
        case .yaml: try Terminal.print(YAMLWriter.text(answer))
        case .name:
            for row in try answer.items() {
                try Terminal.print(row["name"]?.string ?? (row["position"]?.int).map(String.init) ?? "")
            }
        case .table, .wide: return false
        }
        return true
    }

    private func list(_ session: Session) throws {
        let records = try session.node("GET", Self.path, query: query + (isAll ? [("all", "true")] : []))
        if try isShown(records) { return }
        let rows = try records.items().map(OutboxView.init)
        if rows.isEmpty { return Terminal.note(isAll ? "No events." : "No event is stuck.") }
        let cells = rows.map { row in
            [String(row.position), row.state, String(row.attempts), row.type, row.objectName, row.error]
        }
        let header = ["POSITION", "STATE", "ATTEMPTS", "TYPE", "OBJECT", "ERROR"]
        try Terminal.print(Table(header, cells, hasColor: false).text())
    }

    private func listSinks(_ session: Session) throws {
        let found = try session.node("GET", SinkView.path)
        if try isShown(found) { return }
        let sinks = try found.items().map(SinkView.init)
        if sinks.isEmpty {
            return Terminal.note("No sinks but the journal; the daemon's settings name them: sinks.")
        }
        let cells = sinks.map { sink in
            [
                sink.name, sink.kind, sink.isRequired ? "yes" : "no", sink.state, String(sink.lagEvents),
                sink.lagMs > 0 ? Age.text(sinceMs: 0, nowMs: Int64(sink.lagMs)) : "-", String(sink.delivered),
                String(sink.failures), String(sink.deadLetters), sink.error,
            ]
        }
        let header = [
            "NAME", "KIND", "REQUIRED", "STATE", "LAG", "OLDEST", "DELIVERED", "FAILURES", "DEAD-LETTERS", "ERROR",
        ]
        try Terminal.print(Table(header, cells, hasColor: false).text())
    }
}
