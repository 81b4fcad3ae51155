/// Selectors of Kubernetes: `a=b,c!=d,e,!f,g in (h, i),j notin (k)`.
public struct SelectorTerms: Sendable, Equatable {
    /// One condition of a selector.
    public enum Term: Sendable, Equatable {
        case isIn(String, Set<String>)
        case isNotIn(String, Set<String>)
        case exists(String)
        case missing(String)
    }

    /// What is wrong with the text of a selector.
    public struct Problem: Error, Sendable {
        public var message: String
    }

    public let terms: [Term]

    public init(_ text: String) throws(Problem) { terms = try Self.parse(text) }

    /// It takes everything.
    public var isEmpty: Bool { terms.isEmpty }

    /// - Parameter value: what an object has under a key; nil: it has none.
    public func match(_ value: (String) -> String?) -> Bool {
        terms.allSatisfy { term in
            switch term {
            case .isIn(let key, let wanted): value(key).map(wanted.contains) ?? false
            case .isNotIn(let key, let unwanted): !(value(key).map(unwanted.contains) ?? false)
            case .exists(let key): value(key) != nil
            case .missing(let key): value(key) == nil
            }
        }
    }

    private static func parse(_ text: String) throws(Problem) -> [Term] {
        var terms: [Term] = []
        for part in try split(text) {
            let term = part.trimmed
            if term.isEmpty { continue }
            if term.hasSuffix(")") {
                terms.append(try set(term))
            } else if let range = term.firstRange(of: "!=") {
                terms.append(.isNotIn(term[..<range.lowerBound].trimmed, [term[range.upperBound...].trimmed]))
            } else if let range = term.firstRange(of: "==") ?? term.firstRange(of: "=") {
                terms.append(.isIn(term[..<range.lowerBound].trimmed, [term[range.upperBound...].trimmed]))
            } else if term.hasPrefix("!") {
                terms.append(.missing(term.dropFirst().trimmed))
            } else if term.contains(where: { " ()".contains($0) }) {
                throw Problem(message: "the selector \"\(term)\" is malformed")
            } else {
                terms.append(.exists(term))
            }
        }
        return terms
    }

    /// `key in (a, b)` or `key notin (a, b)`.
    private static func set(_ term: String) throws(Problem) -> Term {
        let malformed = Problem(
            message: "the selector \"\(term)\" is malformed; expected KEY in (A, B) or KEY notin (A, B)")
        guard let open = term.firstIndex(of: "(") else { throw malformed }
        let words = term[..<open].split(separator: " ")
        let values = Set(
            term[term.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false).map(
                \.trimmed))
        guard words.count == 2, !values.contains(where: { $0.contains("(") || $0.contains(")") }) else {
            throw malformed
        }
        switch words[1] {
        case "in": return .isIn(String(words[0]), values)
        case "notin": return .isNotIn(String(words[0]), values)
        default: throw malformed
        }
    }

    /// Commas inside of parentheses do not separate terms. Parentheses are in pairs, one within no other: otherwise others
    /// could part the same text in other places, as the rules of access do.
    private static func split(_ text: String) throws(Problem) -> [Substring] {
        var parts: [Substring] = []
        var (start, depth) = (text.startIndex, 0)
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
            if !(0...1).contains(depth) { break }
        }
        guard depth == 0 else {
            throw Problem(message: "the selector \"\(text)\" is malformed: its parentheses are in no pairs")
        }
        return parts + [text[start...]]
    }
}

extension StringProtocol {
    /// Without blanks at its ends.
    package var trimmed: String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let text = Substring(self)
        guard let first = text.utf8.firstIndex(where: { !isBlank($0) }),
            let last = text.utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(Substring(text.utf8[first...last]))
    }
}
