import Glibc
import HTTPClient

struct Backup: Verb {
    static let name = "backup"
    static let usage = "backup FILE"
    static let operands = Operands.files
    static let text = "Copy the database while the daemon runs. The values of Secrets in it are sealed."

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 1 else { throw invocation.usage("give one FILE") }
        let target = invocation.words[0]
        let session = Session(try invocation.localPaths())
        var request = Client.Request("POST", "/apis/agentos.dev/v1/backup", body: [])
        // A large database takes its time; that the daemon lives is seen to meanwhile.
        request.timeoutMs = nil
        guard let path = try session.node(session.send(request))["path"]?.string else {
            throw session.problem(.notUnderstood("it does not say where the copy is"))
        }
        defer { unlink(path) }
        try LocalFile.copy(path, to: target)
        try Terminal.print(
            "backup written to \(target); to restore it on another machine, take the key of its Secrets along (secrets.key)"
        )
        return .success
    }
}
