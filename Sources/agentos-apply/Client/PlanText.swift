import Values

/// A plan as people read it: what comes of each object, in groups, and a line that counts.
package struct PlanText {
    private let paint: Paint
    /// Nil: a value that changes is shown as it was and as it will be.
    private let words: WordDiff?

    package init(columns: Int?, hasColor: Bool, isByWord: Bool = false) {
        paint = Paint(columns: columns, hasColor: hasColor)
        words = isByWord ? WordDiff(hasColor: hasColor) : nil
    }

    private typealias Change = PlanView.ChangeView

    package func text(_ plan: PlanView) -> String {
        var out = ""
        for action in [PlanView.Action.create, .change, .delete, .follow, .refuse] {
            let changes = plan.changes.filter { $0.action == action }
            guard let title = Self.title(action), !changes.isEmpty else { continue }
            out += "\(title) (\(changes.count)):\n"
            for change in changes { out += lines(change).map { $0 + "\n" }.joined() }
            out += "\n"
        }
        return out + summary(plan) + "\n"
    }

    /// Nil: it is not shown.
    private static func title(_ action: PlanView.Action) -> String? {
        switch action {
        case .create: "To create"
        case .change: "To change"
        case .delete: "To delete"
        case .follow: "Follows from it"
        case .refuse: "Refused"
        case .keep: nil
        }
    }

    // MARK: One object

    private func lines(_ change: Change) -> [String] {
        let name =
            "\(change.kind?.singular ?? "") \(change.namespace.isEmpty ? "" : "\(change.namespace)/")\(change.name)"
        let (sign, color) = Self.sign(change.action)
        var lines = [line("  \(sign) \(name)\(change.place.map { "  \($0)" } ?? "")", color)]
        for difference in change.differences { lines.append(field(difference, isNew: change.action == .create)) }
        for note in notes(change) { lines.append(line("      \(note)", "36")) }
        return lines
    }

    private static func sign(_ action: PlanView.Action) -> (String, String) {
        switch action {
        case .create: ("+", "32")
        case .change: ("~", "33")
        case .delete: ("-", "31")
        case .follow: (">", "36")
        case .refuse: ("!", "31")
        case .keep: (" ", "0")
        }
    }

    private func field(_ difference: (path: String, from: Node?, to: Node?), isNew: Bool) -> String {
        switch (difference.from, difference.to) {
        case (let from?, let to?):
            // Whoever wants to see the words wants all of them: these lines are not cut.
            words.map { words in
                paint.colored("      ~ \(difference.path.printable): ", "33")
                    + words.text(Self.value(from), Self.value(to))
            } ?? line("      ~ \(difference.path): \(Self.value(from)) → \(Self.value(to))", "33")
        case (let from?, nil): line("      - \(difference.path): \(Self.value(from))", "31")
        case (nil, let to): line("      + \(difference.path): \(to.map(Self.value) ?? "")", "32")
        }
    }

    private func notes(_ change: Change) -> [String] {
        var notes: [String] = []
        if let why = change.why { notes.append("because \(why)") }
        if !change.restarts.isEmpty {
            let fields = change.restarts.joined(separator: ", ")
            notes.append("restarts \(Self.replicas(change.outdated)), because of \(fields)")
        }
        for (effect, word) in [("start", "starts"), ("stop", "stops"), ("freeze", "freezes"), ("thaw", "wakes")] {
            let ordinals = change.ordinals(effect)
            let noun = ordinals.count == 1 ? "replica" : "replicas"
            if !ordinals.isEmpty { notes.append("\(word) \(noun) \(Self.ranges(ordinals)) at once") }
        }
        if let waits = change.waits { notes.append("waits: \(waits)") }
        return notes
    }

    private static func replicas(_ count: Int) -> String { count == 1 ? "1 replica" : "\(count) replicas" }

    /// `0-4, 7`.
    static func ranges(_ ordinals: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for ordinal in ordinals.sorted() {
            if let last = ranges.last, last.upperBound == ordinal - 1 {
                ranges[ranges.count - 1] = last.lowerBound...ordinal
            } else {
                ranges.append(ordinal...ordinal)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ", ")
    }

    /// On one line, and as JSON what a terminal would take for an order.
    static func value(_ node: Node) -> String {
        if let text = node.string, !text.isEmpty, text == text.printable { return text }
        return JSONWriter.text(node)
    }

    // MARK: All

    private func summary(_ plan: PlanView) -> String {
        let restarts = plan.changes.count { !$0.restarts.isEmpty && $0.outdated > 0 }
        let starts = plan.changes.reduce(0) { $0 + $1.ordinals("start").count }
        let waits = plan.changes.count { $0.waits != nil }
        var text = "Plan: \(plan.count(.create)) to create, \(plan.count(.change)) to change"
        if restarts > 0 { text += " (\(restarts) restarts)" }
        text += ", \(plan.count(.delete)) to delete"
        if starts > 0 { text += "; \(Self.replicas(starts)) to start" }
        if waits > 0 { text += "; \(waits) to wait" }
        return line(text, "1")
    }

    private func line(_ text: String, _ color: String) -> String { paint.line(text.printable, color) }
}
