/// A Swift file with comments and literals blanked, so that what is left is code; lines stay where they are.
struct SwiftCode {
    let path: String
    /// As they were written.
    let lines: [Substring]
    /// The same lines, code alone.
    let bare: [Substring]

    init(path: String, text: String) {
        var blanker = Blanker(bytes: Array(text.utf8))
        blanker.code(isInterpolation: false)
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        bare = String(decoding: blanker.out, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The modules that the file imports, with the words before `import`.
    var imports: [(line: Int, access: String, module: String)] {
        bare.enumerated().compactMap { number, line in
            let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
            guard let index = words.firstIndex(of: "import"), index - words.startIndex <= 1, index + 1 < words.endIndex
            else { return nil }
            return (
                number + 1, index > words.startIndex ? String(words[words.startIndex]) : "", String(words[index + 1])
            )
        }
    }
}

/// Copies code and replaces comments and literals by blanks. What stands in an interpolation is code.
private struct Blanker {
    let bytes: [UInt8]
    private(set) var out: [UInt8] = []
    private var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private func starts(_ text: StaticString) -> Bool {
        guard at + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
    }

    private mutating func keep() {
        out.append(bytes[at])
        at += 1
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where at < bytes.count {
            out.append(bytes[at] == UInt8(ascii: "\n") ? bytes[at] : UInt8(ascii: " "))
            at += 1
        }
    }

    mutating func code(isInterpolation: Bool) {
        var depth = 0
        while at < bytes.count {
            if starts("//") {
                while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { blank() }
            } else if starts("/*") {
                comment()
            } else if let hashes = hashesBeforeQuote() {
                string(hashes)
            } else {
                if isInterpolation, bytes[at] == UInt8(ascii: "(") { depth += 1 }
                if isInterpolation, bytes[at] == UInt8(ascii: ")") {
                    if depth == 0 { return }
                    depth -= 1
                }
                keep()
            }
        }
    }

    private mutating func comment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && at < bytes.count
    }

    /// The number of `#` before the quote of a literal that begins here; nil when none begins here.
    private func hashesBeforeQuote() -> Int? {
        var end = at
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - at : nil
    }

    private mutating func string(_ hashes: Int) {
        blank(hashes)
        let quotes = starts("\"\"\"") ? 3 : 1
        blank(quotes)
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\\"), isRepeated(UInt8(ascii: "#"), hashes, from: at + 1) {
                blank(1 + hashes)
                guard at < bytes.count, bytes[at] == UInt8(ascii: "(") else {
                    blank()
                    continue
                }
                blank()
                code(isInterpolation: true)
                blank()
            } else if isRepeated(UInt8(ascii: "\""), quotes, from: at),
                isRepeated(UInt8(ascii: "#"), hashes, from: at + quotes)
            {
                return blank(quotes + hashes)
            } else {
                blank()
            }
        }
    }

    private func isRepeated(_ byte: UInt8, _ count: Int, from start: Int) -> Bool {
        start + count <= bytes.count && bytes[start..<(start + count)].allSatisfy { $0 == byte }
    }
}
