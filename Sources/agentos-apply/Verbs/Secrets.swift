import HTTPClient

struct Secrets: Verb {
    static let name = "secrets"
    static let usage = "secrets rotate"
    static let operands = Operands.words(["rotate"])
    static let text = "Seal the values of Secrets in the database with a new key."

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words == ["rotate"] else { throw invocation.usage("expected rotate") }
        let session = try invocation.session()
        var request = Client.Request("POST", "/apis/agentos.dev/v1/secretkeys/rotate", body: [])
        // Many Secrets take their time; that the daemon lives is seen to meanwhile.
        request.timeoutMs = nil
        let answer = try session.node(session.send(request))
        guard let current = answer["current"]?.string else {
            throw session.problem(.notUnderstood("it does not name the key"))
        }
        try Terminal.print("all Secrets are sealed with the key \(current)")
        let older = answer["older"]?.list?.compactMap(\.string) ?? []
        if !older.isEmpty {
            let keys = "\(older.count == 1 ? "key" : "keys") \(older.joined(separator: ", "))"
            try Terminal.print("older backups need the \(keys) as long as they are kept")
        }
        return .success
    }
}
