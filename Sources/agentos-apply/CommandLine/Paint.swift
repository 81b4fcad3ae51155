/// Lines for a terminal of a width, in colours where it has them.
struct Paint {
    /// Nil: nothing is cut or wrapped.
    let columns: Int?
    let hasColor: Bool

    /// One line, cut where the terminal ends.
    func line(_ text: String, _ color: String) -> String {
        var text = text
        if let columns, text.count > columns { text = text.prefix(max(1, columns - 1)) + "…" }
        return colored(text, color)
    }

    /// Words within a line.
    func colored(_ text: String, _ color: String) -> String {
        hasColor && color != "0" ? "\u{1b}[\(color)m\(text)\u{1b}[0m" : text
    }

    /// The words of a text in lines; those after the first are indented.
    func wrapped(_ text: String, indent: Int, _ color: String = "0") -> [String] {
        guard let columns, text.count > columns else { return [colored(text, color)] }
        var lines: [String] = []
        var line = String(text.prefix { $0 == " " })
        var isFresh = true
        for word in text.split(separator: " ") {
            if !isFresh, line.count + 1 + word.count > columns {
                lines.append(line)
                line = String(repeating: " ", count: indent)
                isFresh = true
            }
            line += isFresh ? String(word) : " \(word)"
            isFresh = false
        }
        lines.append(line)
        return lines.map { self.line($0, color) }
    }

    /// Without a width: words alone.
    static func words(hasColor: Bool) -> Paint { Paint(columns: nil, hasColor: hasColor) }
}

extension String {
    /// On one line, and nothing in it that a terminal would take for an order.
    package var printable: String { printable(lines: false) }

    /// The same for several lines.
    package var printableLines: String { printable(lines: true) }

    private func printable(lines: Bool) -> String {
        // Most texts are; control characters of the second range begin with 0xc2.
        if utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != 0xc2 || lines && $0 == 0x0a }) { return self }
        return String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.value {
                    case 0x09: " "
                    case 0x0a where lines: scalar
                    case 0..<0x20, 0x7f...0x9f: "\u{fffd}"
                    default: scalar
                    }
                }))
    }
}
