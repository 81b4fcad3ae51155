/// One `switch` of a file.
struct Switch {
    var line: Int
    var subject: String
    var patterns: [String] = []
    var hasDefault = false

    /// Some case is written with a leading dot: the subject is an enum, not a number or a text.
    var isOverEnum: Bool {
        patterns.contains { pattern in
            pattern.split(separator: ",").contains { part in
                let words = part.split(separator: " ").drop { $0 == "let" || $0 == "var" }
                let name = words.first?.drop { $0 == "(" }
                return name?.first == "." && name?.dropFirst().first?.isLetter == true
            }
        }
    }

    /// All switches of a file, the inner ones before those around them.
    static func all(in code: SwiftCode) -> [Switch] {
        var finder = Finder()
        for (number, line) in code.bare.enumerated() { finder.take(line, number + 1) }
        return finder.found
    }

    private struct Finder {
        var found: [Switch] = []
        /// The blocks that are open; nil: no switch.
        private var blocks: [Switch?] = []
        /// Between `switch` and its brace.
        private var head: (switch: Switch, parentheses: Int)?
        /// Between `case` and its colon, with the depth of brackets there.
        private var pattern: (text: String, depth: Int)?
        private var depth = 0

        mutating func take(_ line: Substring, _ number: Int) {
            var rest = line[...]
            var isFirst = true
            while let character = rest.first {
                if character.isLetter || character == "_" || character == "@" {
                    let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "@" }
                    rest = rest.dropFirst(word.count)
                    take(word: word, isFirst: isFirst, number, next: rest.first)
                } else {
                    rest = rest.dropFirst()
                    take(character)
                }
                if !character.isWhitespace { isFirst = false }
            }
            pattern?.text += " "
            head?.switch.subject += " "
        }

        private mutating func take(word: Substring, isFirst: Bool, _ number: Int, next: Character?) {
            if pattern != nil {
                pattern!.text += word
            } else if word == "switch", head == nil, next == " " {
                head = (Switch(line: number, subject: ""), depth)
            } else if head != nil {
                head!.switch.subject += word
            } else if isFirst, word == "case", blocks.last.flatMap({ $0 }) != nil {
                pattern = ("", depth)
            } else if isFirst, word == "default", next == ":", let last = blocks.indices.last, blocks[last] != nil {
                blocks[last]!.hasDefault = true
            }
        }

        private mutating func take(_ character: Character) {
            switch character {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            default: break
            }
            if let open = pattern, open.depth == depth, character == ":" {
                pattern = nil
                let text = String(open.text.drop { $0 == " " })
                blocks[blocks.count - 1]!.patterns.append(text)
                if text == "_" || text.hasPrefix("let ") && text.split(separator: " ").count == 2 {
                    blocks[blocks.count - 1]!.hasDefault = true
                }
                return
            }
            if character == "{" {
                if let begun = head, begun.parentheses == depth {
                    blocks.append(begun.switch)
                    head = nil
                } else {
                    blocks.append(nil)
                }
            } else if character == "}", let last = blocks.popLast(), var done = last {
                done.subject = done.subject.split(separator: " ").joined(separator: " ")
                found.append(done)
            }
            if pattern != nil {
                pattern!.text.append(character)
            } else if head != nil {
                head!.switch.subject.append(character)
            }
        }
    }
}
