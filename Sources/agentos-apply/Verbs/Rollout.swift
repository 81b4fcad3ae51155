import Manifests
import Values

struct Rollout: Verb {
    static let name = "rollout"
    static let usage = "rollout status|history|undo|pause|resume|restart AGENT…"
    static let text = "Follow the replacement of replicas to its end; hold it, begin it, or go back to what was before."
    static let operands = Operands.words(Action.allCases.map(\.rawValue), then: .names(.agent))

    enum Action: String, CaseIterable {
        case status, history, undo, pause, resume, restart

        /// As in "a Secret cannot be …".
        var participle: String {
            switch self {
            case .status: "rolled out"
            case .history: "asked for its revisions"
            case .undo: "rolled back"
            case .pause: "paused"
            case .resume: "resumed"
            case .restart: "restarted"
            }
        }
    }

    enum Format: String, OutputChoice {
        case table, yaml, json
    }

    let selection = Selection()
    let timeout = TimeoutOption()
    @Option("revision", value: "N", in: 1...Int.max, "history: this revision in full") var revision: Int?
    @Option("to-revision", value: "N", in: 0...Int.max, "undo: back to this one (default: the one before)")
    var target: Int?
    @Option("output", short: "o", value: "FORMAT", "history: table, yaml or json") var format = Format.table
    @Flag("dry-run", also: ["server"], "undo: say what would happen, change nothing") var isDryRun

    func run(_ invocation: Invocation) throws -> ExitCode {
        let known = Action.allCases.map(\.rawValue)
        guard let word = invocation.words.first else {
            throw invocation.usage("expected \(known.dropLast().joined(separator: ", ")) or \(known.last ?? "")")
        }
        guard let action = Action(rawValue: word) else {
            let hint = Suggestion.text(for: word, among: known)
            throw invocation.usage("unknown word \"\(word)\": expected \(known.joined(separator: ", "))\(hint)")
        }
        if action != .history, revision != nil || format != .table {
            throw invocation.usage("--revision and --output are for rollout history")
        }
        if action != .undo, target != nil || isDryRun {
            throw invocation.usage("--to-revision and --dry-run are for rollout undo")
        }
        let session = try invocation.session()
        let targets = try selection.targets(
            Array(invocation.words.dropFirst()), usual: .agent, among: [.agent], does: action.participle, invocation,
            session)
        switch action {
        case .restart: return try Restart.run(targets, selection, session, waits: false, timeout.ms)
        case .history: return try session.each(targets) { try history($0, session, isOnly: targets.count == 1) }
        case .undo: return try session.each(targets) { try undo($0, session) }
        case .pause: return try session.each(targets) { try set(paused: true, $0, session) }
        case .resume: return try session.each(targets) { try set(paused: false, $0, session) }
        case .status:
            if targets.isEmpty { return .failure }
            return try session.awaitAll(
                targets.map { selection.awaited($0) }, .rolledOut, timeoutMs: timeout.ms, crashesMax: Crashes.usualMax)
        }
    }

    // MARK: History

    private func history(_ target: Target, _ session: Session, isOnly: Bool) throws {
        let history = try session.history(selection.path(target))
        let chosen = try revision.map { [try history.revision($0)] } ?? history.revisions
        switch format {
        case .table where revision != nil:
            try Terminal.print("\(target.shown) with revision \(revision ?? 0)\n\(YAMLWriter.text(chosen[0].node))")
        case .table:
            if !isOnly { try Terminal.print(target.shown) }
            try Terminal.print(RevisionView.table(chosen.reversed(), hasColor: Terminal.hasColor))
        case .yaml, .json:
            let list = Node.map([
                ("kind", "RevisionList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(chosen.map(\.node))),
            ])
            let node = revision == nil ? list : chosen[0].node
            try Terminal.print(format == .yaml ? YAMLWriter.text(node) : JSONWriter.text(node, pretty: true))
        }
    }

    // MARK: Changes

    private static let manager = "agentos-rollout"

    private func set(paused: Bool, _ target: Target, _ session: Session) throws {
        let (_, isChanged) = try session.change(selection.path(target), manager: Self.manager) { object in
            let isSame = (object.node[path: "spec", "paused"]?.bool ?? false) == paused
            return isSame ? nil : .map([("spec", .map([("paused", Node(.bool(paused)))]))])
        }
        let not = paused ? "is paused already" : "is not paused"
        try Terminal.print("\(target.shown) \(isChanged ? paused ? "paused" : "resumed" : not)")
    }

    /// Back to what an earlier revision was made of, in a revision of its own. All that restarts nobody stays as it is.
    private func undo(_ target: Target, _ session: Session) throws {
        let path = selection.path(target)
        let revision = try session.history(path).target(of: self.target ?? 0)
        var changes: [String] = []
        let (_, isChanged) = try session.change(path, manager: Self.manager, isDryRun: isDryRun) { object in
            try check(object, session)
            let patch = AgentSpec.undoing(object.node, to: revision.template, cause: revision.cause)
            changes = (patch?["spec"]?.map?.entries ?? []).map { Self.line($0.key, object.node, revision.template) }
            return patch
        }
        guard isChanged else {
            return try Terminal.print("\(target.shown) is as revision \(revision.number) was already")
        }
        try Terminal.print(
            "\(target.shown) rolled back to revision \(revision.number)\(isDryRun ? " (dry run)" : "")")
        if isDryRun { for line in changes { try Terminal.print(line) } }
    }

    private static func line(_ field: String, _ agent: Node, _ template: Node) -> String {
        func text(_ node: Node?) -> String { node.map(PlanText.value) ?? "nothing" }
        return "  spec.\(field): \(text(agent[path: "spec", field])) → \(text(template[field]))"
    }

    private func check(_ object: ObjectView, _ session: Session) throws {
        if object.node[path: "spec", "paused"]?.bool == true {
            throw CommandProblem(
                .invalid,
                "it is paused, and what is undone would wait; 'agentos-apply rollout resume \(object.name)' comes first"
            )
        }
        guard let place = object.node[path: "metadata", "declaredBy"], let name = place["source"]?.string else {
            return
        }
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return }
        let source = try session.node("GET", Session.path(.source, namespace: parts[0], name: parts[1]))
        guard SourceSpec(source["spec"] ?? .emptyMap).corrects else { return }
        let at = "\(place["file"]?.string ?? ""):\(place["line"]?.int ?? 0)"
        throw CommandProblem(
            .conflict,
            "it is declared by the source \(name), at \(at), and the next sync would take this back: undo the change there, "
                + "or 'agentos-apply suspend source/\(parts[1]) -n \(parts[0])' first")
    }
}
