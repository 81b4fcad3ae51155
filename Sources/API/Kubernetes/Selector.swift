import Loop
import Reconciler
import Resources
import Values

/// Label and field selectors of Kubernetes: `a=b,c!=d,e,!f,g in (h, i),j notin (k)`.
struct Selector {
    private enum Term {
        case isIn(String, Set<String>)
        case isNotIn(String, Set<String>)
        case exists(String)
        case missing(String)
    }

    private var labels: [Term]
    private var fields: [Term]

    /// What every resource can be selected by.
    static let selectableFields = ["metadata.name", "metadata.namespace"]

    init(labels: String?, fields: String?, of resource: Resource) throws(Failure) {
        self.labels = try Self.parse(labels ?? "")
        self.fields = try Self.parse(fields ?? "")
        for term in self.fields {
            switch term {
            case .isIn(let field, _), .isNotIn(let field, _):
                let known = Self.selectableFields + resource.selectableFields
                if !known.contains(field) {
                    throw .badRequest("field label not supported: \(field); \(known.joined(separator: ", ")) are")
                }
            case .exists, .missing: throw .badRequest("a field selector needs a value")
            }
        }
    }

    /// It takes everything.
    var isEmpty: Bool { labels.isEmpty && fields.isEmpty }

    func matches(_ object: Selectable) -> Bool {
        labels.allSatisfy { Self.holds($0, object.label) } && fields.allSatisfy { Self.holds($0, object.field) }
    }

    private static func holds(_ term: Term, _ value: (String) -> String?) -> Bool {
        switch term {
        case .isIn(let key, let wanted): value(key).map(wanted.contains) ?? false
        case .isNotIn(let key, let unwanted): !(value(key).map(unwanted.contains) ?? false)
        case .exists(let key): value(key) != nil
        case .missing(let key): value(key) == nil
        }
    }

    private static func parse(_ text: String) throws(Failure) -> [Term] {
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
                throw .badRequest("the selector \"\(term)\" is malformed")
            } else {
                terms.append(.exists(term))
            }
        }
        return terms
    }

    /// `key in (a, b)` or `key notin (a, b)`.
    private static func set(_ term: String) throws(Failure) -> Term {
        let malformed = Failure.badRequest(
            "the selector \"\(term)\" is malformed; expected KEY in (A, B) or KEY notin (A, B)")
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
    private static func split(_ text: String) throws(Failure) -> [Substring] {
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
            throw .badRequest("the selector \"\(text)\" is malformed: its parentheses are in no pairs")
        }
        return parts + [text[start...]]
    }
}
