import HTTPClient
import Values

struct Outbox: Verb {
    static let name = "outbox"
    static let usage = "outbox list | show N | replay N | skip N"
    static let operands = Operands.words(["list", "show", "replay", "skip"])
    static let text = "Look at events whose delivery is stuck, and resolve them."

    @Flag("all", "all events that are kept, not only stuck ones") var isAll
    let output = OutputOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let path = "/apis/agentos.dev/v1/outbox"
        let words = invocation.words
        switch (words.first ?? "list", words.count) {
        case ("list", 0...1):
            let rows = try session.node("GET", path, query: isAll ? [("all", "true")] : []).items()
            try list(rows.map(OutboxView.init))
        case ("show", 2):
            for row in try session.node("GET", "\(path)/\(Percent.encode(words[1]))").items() {
                try Terminal.print(YAMLWriter.text(row))
            }
        case ("replay", 2), ("skip", 2):
            _ = try session.send(Client.Request("POST", "\(path)/\(Percent.encode(words[1]))/\(words[0])", body: []))
            try Terminal.print("event \(words[1]) \(words[0] == "replay" ? "is delivered again" : "is skipped")")
        default: throw invocation.usage("expected list, show N, replay N or skip N")
        }
        return .success
    }

    private func list(_ rows: [OutboxView]) throws {
        if rows.isEmpty { return Terminal.note(isAll ? "No events." : "No event is stuck.") }
        let cells = rows.map { row in
            [String(row.position), row.state, String(row.attempts), row.type, row.objectName, row.error]
        }
        let header = ["POSITION", "STATE", "ATTEMPTS", "TYPE", "OBJECT", "ERROR"]
        try Terminal.print(Table(header, cells, hasColor: false).text())
    }
}
