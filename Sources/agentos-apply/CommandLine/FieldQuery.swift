package import Values

/// A path to fields of an object, as JSONPath writes it: names, indices and `*`, and nothing else of it.
package struct FieldQuery: Equatable, Sendable {
    private enum Step: Equatable, Sendable {
        case name(String)
        case index(Int)
        case all
    }

    private var steps: [Step] = []
    /// As a person reads it: without braces.
    package let text: String

    /// - Parameter text: `{.status.phase}` or `.status.phase`; keys with dots stand in quotes: `['a.b']`.
    package init(_ text: String) throws(Mistake) {
        var rest = Substring(text)
        if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
        if rest.hasPrefix("$") { rest = rest.dropFirst() }
        self.text = String(rest)
        let expected = "expected a path such as {.status.phase} or {.status.runs[0].pid}"
        if rest.isEmpty { throw Mistake("\(expected), found \"\(text)\"") }
        while !rest.isEmpty {
            if rest.hasPrefix("..") || rest.hasPrefix("[?") {
                throw Mistake("\"\(text)\": filters and .. are not built; \(expected)")
            }
            if rest.hasPrefix("[") {
                guard let end = rest.firstIndex(of: "]") else { throw Mistake("\"\(text)\": a ] is missing") }
                let inside = rest[rest.index(after: rest.startIndex)..<end]
                if inside == "*" {
                    steps.append(.all)
                } else if let index = Int(inside), index >= 0 {
                    steps.append(.index(index))
                } else if let quote = inside.first, "'\"".contains(quote), inside.count > 2, inside.last == quote {
                    steps.append(.name(String(inside.dropFirst().dropLast())))
                } else {
                    throw Mistake("\"\(text)\": expected a number, * or a name in quotes between [ and ]")
                }
                rest = rest[rest.index(after: end)...]
            } else {
                if rest.hasPrefix(".") {
                    rest = rest.dropFirst()
                } else if !steps.isEmpty {
                    throw Mistake("\"\(text)\": \(expected)")
                }
                let name = rest.prefix { $0 != "." && $0 != "[" }
                if name.isEmpty { throw Mistake("\"\(text)\": a name is missing; \(expected)") }
                steps.append(name == "*" ? .all : .name(String(name)))
                rest = rest[name.endIndex...]
            }
        }
    }

    package func values(in node: Node) -> [Node] {
        steps.reduce([node]) { nodes, step in
            nodes.flatMap { node -> [Node] in
                switch step {
                case .name(let name): node[name].map { [$0] } ?? []
                case .index(let index): node.list.flatMap { index < $0.count ? [$0[index]] : nil } ?? []
                case .all: node.list ?? node.map?.entries.map(\.value) ?? []
                }
            }
        }
    }

    /// A value as it is compared with.
    package static func text(_ node: Node) -> String { node.string ?? JSONWriter.text(node) }
}
