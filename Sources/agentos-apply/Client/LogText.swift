import Glibc
import Values

/// One replica whose output is shown.
package struct LogSource: Hashable, Sendable {
    package var namespace: String
    package var agent: String
    package var ordinal: Int

    package init(namespace: String, agent: String, ordinal: Int) {
        self.namespace = namespace
        self.agent = agent
        self.ordinal = ordinal
    }
}

/// How lines of logs are shown, and which of them.
package struct LogStyle {
    package enum Prefix: Sendable { case none, replica, namespace }

    package var prefix = Prefix.none
    package var hasColor = false
    package var hasTimes = false
    package var isJSON = false
    /// As the time of a record is written, without its end: later lines are not shown.
    package var until: String?
    package var pattern: LinePattern?

    package init() {}

    /// The daemon is to write the time before each line.
    package var needsTimes: Bool { hasTimes || isJSON || until != nil }
    /// Nothing is looked at: what comes is passed on as it is.
    package var isPlain: Bool { prefix == .none && !isJSON && until == nil && pattern == nil }
}

/// Makes lines of what one replica wrote, and what is shown of them.
package struct LogText {
    /// A line that is longer is shown in parts.
    private static let lineBytesMax = Limits.inputBytesMax

    private let source: LogSource
    private let style: LogStyle
    private let prefix: [UInt8]
    private var rest: [UInt8] = []
    private var time = ""
    /// A line came that is later than wanted: no more is to be read.
    package private(set) var isOver = false

    package init(_ source: LogSource, _ style: LogStyle) {
        self.source = source
        self.style = style
        let name = "\(source.agent)/\(source.ordinal)"
        let shown =
            switch style.prefix {
            case .none: ""
            case .replica: "[\(name)] "
            case .namespace: "[\(source.namespace)/\(name)] "
            }
        prefix = Array((shown.isEmpty ? "" : Self.colored(shown, style.hasColor)).utf8)
    }

    /// The same replica has the same colour each time.
    private static func colored(_ name: String, _ hasColor: Bool) -> String {
        let sum = name.utf8.reduce(UInt32(7)) { ($0 &* 31) &+ UInt32($1) }
        return Paint.words(hasColor: hasColor).colored(name, "3\(1 + sum % 6)")
    }

    /// Takes what came; what is to be shown of the lines that it completes.
    package mutating func take(_ bytes: some Collection<UInt8>) -> [UInt8] {
        rest.append(contentsOf: bytes)
        var out: [UInt8] = []
        var start = rest.startIndex
        while !isOver, let end = rest[start...].firstIndex(of: 0x0a) {
            show(rest[start..<end], into: &out)
            start = end + 1
        }
        rest.removeSubrange(..<start)
        if !isOver, rest.count > Self.lineBytesMax {
            show(rest[...], into: &out)
            rest = []
        }
        return out
    }

    /// What is left at the end: a line whose end was never written.
    package mutating func end() -> [UInt8] {
        guard !rest.isEmpty, !isOver else { return [] }
        var out: [UInt8] = []
        show(rest[...], into: &out)
        rest = []
        return out
    }

    private mutating func show(_ whole: ArraySlice<UInt8>, into out: inout [UInt8]) {
        var line = whole
        if style.needsTimes, let blank = line.prefix(40).firstIndex(of: 0x20), blank - line.startIndex >= 20,
            line[line.startIndex + 10] == UInt8(ascii: "T")
        {
            time = String(decoding: line[..<blank], as: UTF8.self)
            line = line[(blank + 1)...]
        }
        if let until = style.until, time > until {
            isOver = true
            return
        }
        if let pattern = style.pattern, !pattern.matches(line) { return }
        if style.isJSON {
            JSONWriter.write(
                .map([
                    ("time", .text(time)), ("namespace", .text(source.namespace)), ("agent", .text(source.agent)),
                    ("replica", .number(source.ordinal)), ("text", .text(String(decoding: line, as: UTF8.self))),
                ]), into: &out)
        } else {
            out += prefix
            if style.hasTimes { out += Array(time.utf8) + [0x20] }
            out += line
        }
        out.append(0x0a)
    }
}

/// A pattern as `grep -E` takes it.
package final class LinePattern {
    private var compiled = regex_t()

    package init(_ text: String) throws(Mistake) {
        let code = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var words = [CChar](repeating: 0, count: 256)
            regerror(code, &compiled, &words, words.count)
            let why = String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw Mistake("\"\(text)\" is no pattern: \(why)")
        }
    }

    deinit { regfree(&compiled) }

    package func matches(_ line: ArraySlice<UInt8>) -> Bool {
        let text = line.map { CChar(bitPattern: $0) } + [0]
        return regexec(&compiled, text, 0, nil, 0) == 0
    }
}
