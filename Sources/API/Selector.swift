import Manifests
import Reconciler
import Values

/// Label and field selectors in the equality form of Kubernetes: `a=b,c!=d,e,!f`.
struct Selector {
    private enum Term {
        case equal(String, String)
        case notEqual(String, String)
        case exists(String)
        case missing(String)
    }

    private var labels: [Term] = []
    private var fields: [Term] = []

    init(labels: String?, fields: String?) throws(Failure) {
        self.labels = try Self.parse(labels ?? "")
        self.fields = try Self.parse(fields ?? "")
        for term in self.fields {
            switch term {
            case .equal(let field, _), .notEqual(let field, _):
                if field == "metadata.name" || field == "metadata.namespace" { continue }
                throw Failure(code: 400, reason: "BadRequest", message: "field label not supported: \(field)")
            case .exists, .missing:
                throw Failure(code: 400, reason: "BadRequest", message: "a field selector needs a value")
            }
        }
    }

    private static func parse(_ text: String) throws(Failure) -> [Term] {
        var terms: [Term] = []
        for part in text.split(separator: ",") {
            let term = part.filter { $0 != " " }
            if term.contains("(") || term.contains(")") {
                throw Failure(
                    code: 400, reason: "BadRequest",
                    message:
                        "set-based selectors are not supported: \"\(part)\"; use KEY=VALUE, KEY!=VALUE, KEY or !KEY")
            }
            if let range = term.firstRange(of: "!=") {
                terms.append(.notEqual(String(term[..<range.lowerBound]), String(term[range.upperBound...])))
            } else if let range = term.firstRange(of: "==") ?? term.firstRange(of: "=") {
                terms.append(.equal(String(term[..<range.lowerBound]), String(term[range.upperBound...])))
            } else if term.hasPrefix("!") {
                terms.append(.missing(String(term.dropFirst())))
            } else {
                terms.append(.exists(String(term)))
            }
        }
        return terms
    }

    func matches(_ object: StoredObject) -> Bool {
        let values = object.labels
        return labels.allSatisfy { Self.holds($0) { values[$0] } }
            && fields.allSatisfy {
                Self.holds($0) { $0 == "metadata.name" ? object.key.name : object.key.namespace }
            }
    }

    private static func holds(_ term: Term, _ value: (String) -> String?) -> Bool {
        switch term {
        case .equal(let key, let wanted): value(key) == wanted
        case .notEqual(let key, let wanted): value(key) != wanted
        case .exists(let key): value(key) != nil
        case .missing(let key): value(key) == nil
        }
    }
}
