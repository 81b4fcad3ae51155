import CLinux
import Manifests

struct Describe: Verb {
    static let name = "describe"
    static let usage = "describe KIND NAME"
    static let text = "Show one object in full, with conditions, runs and events."

    let namespace = NamespaceOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 2 else { throw invocation.usage("give KIND NAME") }
        let kind = try kind(invocation.words[0], invocation)
        let session = try invocation.session()
        let path = Session.path(
            kind, namespace: kind.isNamespaced ? namespace.name : "", name: invocation.words[1])
        let object = ObjectView(try session.node("GET", path))
        var events: [EventView] = []
        if object.hasStatus, kind == .agent || kind == .source {
            events = try session.node("GET", "\(path)/events").items().map(EventView.init)
        }
        try Terminal.print(
            Description(kind, nowMs: agentos_wall_ms(), hasColor: Terminal.hasColor).text(object, events))
        return .success
    }
}
