import CLinux
import Manifests

struct Describe: Verb {
    static let name = "describe"
    static let usage = "describe KIND NAME…"
    static let text = "Show objects in full, with conditions, runs and events."
    static let operands = Operands.objects

    let selection = Selection()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let targets = try selection.targets(invocation.words, invocation, session)
        return try session.each(targets) { target in
            if target != targets.first { try Terminal.print("") }
            try describe(target, session)
        }
    }

    private func describe(_ target: Target, _ session: Session) throws {
        let kind = target.kind
        let path = selection.path(target)
        let object = ObjectView(try session.node("GET", path))
        var events: [EventView] = []
        if object.hasStatus, kind == .agent || kind == .source {
            events = try session.node("GET", "\(path)/events").items().map(EventView.init)
        }
        try Terminal.print(
            Description(kind, nowMs: agentos_wall_ms(), hasColor: Terminal.hasColor).text(object, events))
    }
}
