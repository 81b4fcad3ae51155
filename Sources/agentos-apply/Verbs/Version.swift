import HTTPClient

/// The version of this program.
let programVersion = "0.1.0"

struct Version: Verb {
    static let name = "version"
    static let usage = "version"
    static let text = "Show the versions of command line and daemon."

    func run(_ invocation: Invocation) throws -> ExitCode {
        try invocation.takeNoWords()
        try Terminal.print("agentos-apply \(programVersion)")
        let session = try invocation.session()
        var request = Client.Request("GET", "/version")
        request.timeoutMs = 5000
        var daemon = "not running"
        do throws(Client.Failure) {
            let response = try session.client.send(request)
            daemon = (try? Answer.node(response.body))?["agentos"]?.string ?? "unknown"
        } catch {
            switch error {
            case .absent: break
            case .forbidden, .untrusted, .silent, .late, .cut, .tooLarge, .notUnderstood: daemon = "does not answer"
            case .unable(let why): daemon = "cannot be asked: \(why)"
            }
        }
        try Terminal.print("daemon \(daemon)")
        return .success
    }
}
