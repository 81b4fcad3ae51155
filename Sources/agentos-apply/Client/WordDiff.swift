/// What has changed between two texts, word by word, as `git diff --word-diff` shows it: `[-old-]{+new+}`.
package struct WordDiff {
    private enum Part: Equatable {
        case same(String)
        case removed(String)
        case added(String)
    }

    /// More words than this are compared as a whole: the time of a comparison grows with its square.
    private static let wordsMax = 2000
    private static let contextLines = 3

    private let paint: Paint

    package init(hasColor: Bool) { paint = .words(hasColor: hasColor) }

    /// Both texts as one.
    package func text(_ old: String, _ new: String) -> String {
        Self.parts(Self.words(old), Self.words(new)).map(shown).joined()
    }

    /// The places that differ with the lines around them; nothing when the texts are the same.
    package func hunks(_ old: String, _ new: String) -> String {
        func lines(_ text: String) -> [String] {
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            return lines
        }
        let edits = Self.edits(lines(old), lines(new))
        var out = ""
        for range in Self.ranges(edits) { out += hunk(Array(edits[range]), after: edits[..<range.lowerBound]) }
        return out
    }

    // MARK: Lines

    private func hunk(_ edits: [Edit<String>], after before: ArraySlice<Edit<String>>) -> String {
        func span(_ isOther: (Edit<String>) -> Bool) -> String {
            "\(before.count { !isOther($0) } + 1),\(edits.count { !isOther($0) })"
        }
        let head = "@@ -\(span(\.isAdded)) +\(span(\.isRemoved)) @@"
        var lines = [paint.colored(head, "36")]
        var index = 0
        while index < edits.count {
            if case .same(let line) = edits[index] {
                lines.append(line)
                index += 1
                continue
            }
            var (old, new): ([String], [String]) = ([], [])
            while index < edits.count, !edits[index].isSame {
                if edits[index].isRemoved { old.append(edits[index].item) } else { new.append(edits[index].item) }
                index += 1
            }
            lines.append(text(old.joined(separator: "\n"), new.joined(separator: "\n")))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// What is shown together: changes and the lines around them.
    private static func ranges(_ edits: [Edit<String>]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        for index in edits.indices where !edits[index].isSame {
            let low = max(0, index - contextLines)
            let high = min(edits.count, index + contextLines + 1)
            if let last = ranges.last, last.upperBound >= low {
                ranges[ranges.count - 1] = last.lowerBound..<high
            } else {
                ranges.append(low..<high)
            }
        }
        return ranges
    }

    // MARK: Words

    private func shown(_ part: Part) -> String {
        func marked(_ text: String, _ open: String, _ close: String, _ color: String) -> String {
            // No mark goes over the end of a line.
            text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                line.isEmpty ? "" : paint.colored("\(open)\(line)\(close)", color)
            }.joined(separator: "\n")
        }
        return switch part {
        case .same(let text): text
        case .removed(let text): marked(text, "[-", "-]", "31")
        case .added(let text): marked(text, "{+", "+}", "32")
        }
    }

    /// Words, spaces, and each other sign by itself.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var kind = 0
        for character in text {
            let next = character.isLetter || character.isNumber || character == "_" ? 1 : character == " " ? 2 : 0
            if next != 0, next == kind {
                words[words.count - 1].append(character)
            } else {
                words.append(String(character))
            }
            kind = next
        }
        return words
    }

    private static func parts(_ old: [String], _ new: [String]) -> [Part] {
        var parts: [Part] = []
        for edit in edits(old, new) {
            switch (parts.last, edit) {
            case (.same(let text)?, .same(let word)): parts[parts.count - 1] = .same(text + word)
            case (.removed(let text)?, .removed(let word)): parts[parts.count - 1] = .removed(text + word)
            case (.added(let text)?, .added(let word)): parts[parts.count - 1] = .added(text + word)
            case (_, .same(let word)): parts.append(.same(word))
            case (_, .removed(let word)): parts.append(.removed(word))
            case (_, .added(let word)): parts.append(.added(word))
            }
        }
        return parts
    }

    // MARK: Sequences

    private enum Edit<Item> {
        case same(Item)
        case removed(Item)
        case added(Item)

        var item: Item {
            switch self {
            case .same(let item), .removed(let item), .added(let item): item
            }
        }
        var isSame: Bool { if case .same = self { true } else { false } }
        var isRemoved: Bool { if case .removed = self { true } else { false } }
        var isAdded: Bool { if case .added = self { true } else { false } }
    }

    /// The shortest way from one sequence to the other: what goes stands before what comes.
    private static func edits<Item: Hashable>(_ old: [Item], _ new: [Item]) -> [Edit<Item>] {
        let head = zip(old, new).prefix { $0 == $1 }.count
        let tail = zip(old.dropFirst(head).reversed(), new.dropFirst(head).reversed()).prefix { $0 == $1 }.count
        let (from, to) = (Array(old[head..<(old.count - tail)]), Array(new[head..<(new.count - tail)]))
        var edits = old[..<head].map { Edit.same($0) }
        if from.count + to.count > wordsMax {
            edits += from.map { .removed($0) } + to.map { .added($0) }
        } else {
            var (gone, come): (Set<Int>, Set<Int>) = ([], [])
            for change in to.difference(from: from) {
                switch change {
                case .remove(let offset, _, _): gone.insert(offset)
                case .insert(let offset, _, _): come.insert(offset)
                }
            }
            var (i, j) = (0, 0)
            while i < from.count || j < to.count {
                if gone.contains(i) {
                    edits.append(.removed(from[i]))
                    i += 1
                } else if come.contains(j) {
                    edits.append(.added(to[j]))
                    j += 1
                } else {
                    edits.append(.same(from[i]))
                    (i, j) = (i + 1, j + 1)
                }
            }
        }
        return edits + old[(old.count - tail)...].map { .same($0) }
    }
}
