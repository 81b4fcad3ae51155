import Manifests
package import Values

/// What the daemon keeps of one revision of an agent.
package struct RevisionView {
    package let node: Node

    package init(_ node: Node) { self.node = node }

    var number: Int { node["revision"]?.int ?? 0 }
    var since: String? { node["startedAt"]?.string }
    var user: String? { node["by"]?.string }
    var cause: String? { node["changeCause"]?.string }
    var template: Node { node["spec"] ?? .emptyMap }

    /// All of an agent, oldest first, as kubectl lists them.
    static func table(_ revisions: [RevisionView], hasColor: Bool) -> String {
        Table(
            ["REVISION", "SINCE", "BY", "CHANGE-CAUSE"],
            revisions.map { revision in
                [
                    String(revision.number), revision.since ?? "<unknown>", revision.user ?? "<unknown>",
                    (revision.cause ?? "<none>").printable,
                ]
            }, hasColor: hasColor
        ).text()
    }
}

/// The revisions of one agent, newest first.
package struct RevisionHistory {
    let revisions: [RevisionView]

    package init(_ revisions: [RevisionView]) { self.revisions = revisions }

    /// One of them, or what to say instead.
    func revision(_ number: Int) throws(CommandProblem) -> RevisionView {
        if let found = revisions.first(where: { $0.number == number }) { return found }
        let kept = revisions.map { String($0.number) }.reversed().joined(separator: ", ")
        throw CommandProblem(.failure, "revision \(number) is not kept; there are \(kept)")
    }

    /// The one that is gone back to: the one that is asked for, or the last before the current one.
    package func target(of asked: Int) throws(CommandProblem) -> RevisionView {
        if asked > 0 { return try revision(asked) }
        guard revisions.count > 1 else {
            throw CommandProblem(.failure, "there is no earlier revision to go back to")
        }
        return revisions[1]
    }
}

extension Session {
    func history(_ path: String) throws -> RevisionHistory {
        RevisionHistory(try node("GET", "\(path)/revisions").items().map(RevisionView.init))
    }
}
