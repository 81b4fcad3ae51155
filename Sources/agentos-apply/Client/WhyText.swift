package import Values

/// An explanation as people read it: wrapped, newest first.
package struct WhyText {
    private let paint: Paint
    let nowMs: Int64

    package init(columns: Int?, hasColor: Bool, nowMs: Int64) {
        paint = Paint(columns: columns, hasColor: hasColor)
        self.nowMs = nowMs
    }

    package func text(_ node: Node) -> String {
        var lines = paint.wrapped(head(node).printable, indent: 2, "1")
        if let message = node["message"]?.string { lines += paint.wrapped("  " + message.printable, indent: 2) }
        let causes = Self.joined(node["causes"]?.list ?? [])
        section("Because, newest first:", causes.map(cause), &lines, "0")
        section("It waits for:", texts(node["waits"]), &lines, "33")
        section("What follows by itself:", texts(node["next"].map { .list([$0]) }), &lines, "36")
        section("You can:", texts(node["can"]), &lines, "32")
        if let output = node["output"]?.list, !output.isEmpty {
            lines += ["", paint.line("Its last output:", "1")]
            lines += output.map { paint.line("  | \(($0.string ?? "").printable)", "2") }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func head(_ node: Node) -> String {
        let object = node["object"]
        let namespace = object?["namespace"]?.string.map { "\($0)/" } ?? ""
        let ordinal = object?["ordinal"]?.int.map { "/\($0)" } ?? ""
        let kind = (object?["kind"]?.string ?? "").lowercased()
        let name = "\(kind) \(namespace)\(object?["name"]?.string ?? "")\(ordinal)"
        if node["state"]?.string == "Past" {
            return "\(name), \(Age.text(node["since"]?.string, nowMs: nowMs)) ago: \(node["sentence"]?.string ?? "")"
        }
        let since = node["since"]?.string.map { ", for \(Age.text($0, nowMs: nowMs))" } ?? ""
        let state = node["state"]?.string ?? "unknown"
        return "\(name) is \(state == "NeverWas" ? "not there" : state)\(since): \(node["sentence"]?.string ?? "")"
    }

    /// With one line for all commands that one person has run beside an object: they say little of why it is as it is.
    private static func joined(_ causes: [Node]) -> [Node] {
        var joined: [Node] = []
        var places: [String: Int] = [:]
        for cause in causes {
            let by = cause["by"]?.string ?? ""
            guard cause["verb"]?.string == "exec", let place = places[by] else {
                if cause["verb"]?.string == "exec" { places[by] = joined.count }
                joined.append(cause)
                continue
            }
            let counts = [joined[place], cause].map { $0["count"]?.int ?? 1 }
            joined[place]["count"] = .number(counts[0] + min(counts[1], .max - counts[0]))
            joined[place]["first"] = cause["first"] ?? cause["at"]
        }
        return joined
    }

    private func cause(_ node: Node) -> String {
        let age = Age.text(node["at"]?.string, nowMs: nowMs)
        return "\(String(repeating: " ", count: max(0, 5 - age.count)))\(age)  \(sentence(node).printable)"
    }

    private func sentence(_ node: Node) -> String {
        if node["verb"]?.string == "exec", let count = node["count"]?.int {
            let (first, last) = (node["first"]?.string ?? "", node["at"]?.string ?? "")
            return "\(count) commands were run beside it by \(node["by"]?.string ?? "") between \(first) and \(last)"
        }
        var text = node["sentence"]?.string ?? ""
        if let count = node["count"]?.int {
            text += " (\(count) times in \(Age.text(node["first"]?.string, nowMs: nowMs)))"
        }
        let by = node["by"]?.string ?? ""
        if by != "system:reconciler" {
            text += ", by \(by)"
            if let manager = node["manager"]?.string { text += " with \(manager)" }
        }
        if let place = node["declaredAt"]?.string { text += ", from \(place)" }
        if let revision = node["sourceRevision"]?.string { text += " at \(revision)" }
        return text
    }

    private func texts(_ node: Node?) -> [String] { (node?.list ?? []).compactMap { $0.string?.printable } }

    private func section(_ title: String, _ texts: [String], _ lines: inout [String], _ color: String) {
        if texts.isEmpty { return }
        lines += ["", paint.line(title, "1")]
        for text in texts { lines += paint.wrapped("  " + text, indent: 9, color) }
    }
}
