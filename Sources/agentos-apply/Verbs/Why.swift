import CLinux
import HTTPClient
import Manifests
import Values

/// The chain of cause behind one object, on one screen.
struct Why: Verb {
    static let name = "why"
    static let usage = "why AGENT[/ORDINAL] | KIND/NAME | source/NAME | event/ID"
    static let operands = Operands.names(.agent)
    static let text =
        "Show why something is as it is: what has led there, what it waits for, what follows, what you can do."

    enum Format: String, OutputChoice {
        case text, json
    }

    let namespace = NamespaceOption()
    @Option("at", value: "TIME", "as it was then, from the audit: 2026-01-31T12:00:00Z") var at: String?
    @Option("output", short: "o", value: "FORMAT", "text or json") var format = Format.text

    private enum Subject: Equatable {
        case object(Kind, name: String, ordinal: Int?)
        case event(String)
    }

    func run(_ invocation: Invocation) throws -> ExitCode {
        let subject = try subject(invocation)
        let session = try invocation.session()
        var query: [(String, String)] = []
        switch subject {
        case .event(let id): query = [("event", id)]
        case .object(let kind, let name, let ordinal):
            query = [("kind", kind.rawValue), ("name", name)]
            if kind.isNamespaced { query.append(("namespace", namespace.name)) }
            if let ordinal { query.append(("ordinal", String(ordinal))) }
        }
        if let at { query.append(("at", try Self.past(at))) }
        var node = try session.node("GET", "/apis/agentos.dev/v1/explanations", query: query)
        if let lines = output(node, session), !lines.isEmpty { node["output"] = .list(lines.map(Node.text)) }
        switch format {
        case .json: try Terminal.print(JSONWriter.text(node, pretty: true))
        case .text:
            let text = WhyText(columns: Terminal.columns, hasColor: Terminal.hasColor, nowMs: agentos_wall_ms())
            try Terminal.print(text.text(node))
        }
        return node["state"]?.string == "NeverWas" ? .failure : .success
    }

    /// What will be is nobody's to explain; what is no time the daemon refuses.
    private static func past(_ at: String) throws -> String {
        let now = agentos_wall_ms()
        guard let ms = Timestamp.parse(at), ms > now else { return at }
        throw CommandProblem(
            .invalid, "--at: \(at) is yet to come, and why tells what was; it is \(Timestamp.milliseconds(now))")
    }

    private func subject(_ invocation: Invocation) throws -> Subject {
        let words = invocation.words
        let parts = words.flatMap { $0.split(separator: "/", omittingEmptySubsequences: false).map(String.init) }
        guard (1...2).contains(words.count), (1...3).contains(parts.count), !parts.contains("") else {
            throw invocation.usage("give AGENT, AGENT/ORDINAL, KIND/NAME or event/ID")
        }
        func ordinal(_ word: String) throws -> Int {
            guard let ordinal = Int(word), ordinal >= 0 else {
                throw invocation.usage("expected the number of a replica, found \"\(word)\"")
            }
            return ordinal
        }
        if parts.count == 1 { return .object(.agent, name: parts[0], ordinal: nil) }
        if parts[0] == "event", parts.count == 2, parts[1].first?.isHexDigit == true,
            Int(parts[1]) != nil || parts[1].count(where: { $0 == "-" }) == 5
        {
            return .event(parts[1])
        }
        if let kind = Kind.named(parts[0]) {
            return .object(kind, name: parts[1], ordinal: parts.count == 3 ? try ordinal(parts[2]) : nil)
        }
        if parts.count == 2, words.count == 1, Int(parts[1]) != nil {
            return .object(.agent, name: parts[0], ordinal: try ordinal(parts[1]))
        }
        _ = try kind(parts[0], invocation)
        throw invocation.usage("give KIND/NAME")
    }

    /// The last lines of what has crashed, for those who may read them.
    private func output(_ node: Node, _ session: Session) -> [String]? {
        guard let crashed = node["crashed"], let name = node[path: "object", "name"]?.string else { return nil }
        return session.lastLines(
            of: name, in: namespace.name, ordinal: crashed["ordinal"]?.int ?? 0,
            ofRunBefore: crashed["previous"]?.bool == true)
    }
}
