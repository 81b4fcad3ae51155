import Loop
import Manifests
import Reconciler
import Resources
import Values

/// Label and field selectors of Kubernetes.
struct Selector {
    private var labels: SelectorTerms
    private var fields: SelectorTerms

    /// What every resource can be selected by.
    static let selectableFields = ["metadata.name", "metadata.namespace"]

    init(labels: String?, fields: String?, of resource: Resource) throws(Failure) {
        self.labels = try Self.read(labels)
        self.fields = try Self.read(fields)
        for term in self.fields.terms {
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

    private static func read(_ text: String?) throws(Failure) -> SelectorTerms {
        do throws(SelectorTerms.Problem) { return try SelectorTerms(text ?? "") } catch {
            throw .badRequest(error.message)
        }
    }

    /// It takes everything.
    var isEmpty: Bool { labels.isEmpty && fields.isEmpty }

    func matches(_ object: Selectable) -> Bool { labels.match(object.label) && fields.match(object.field) }
}
