import Manifests
import Values

/// One field of what is shown of something: how it is described, and what it is. Documents and the schemas of OpenAPI are
/// both made of tables of these.
struct Shown<Subject>: Sendable {
    let field: Field
    /// Nil: it is not shown now.
    let value: @Sendable (Subject) -> Node?

    init(_ name: String, _ shape: Shape, text: String, _ value: @escaping @Sendable (Subject) -> Node?) {
        field = Field(name, shape, text: text)
        self.value = value
    }
}

extension Array {
    /// What a table shows of its subject.
    func node<Subject>(_ subject: Subject) -> Node where Element == Shown<Subject> {
        .map(map { ($0.field.name, $0.value(subject)) })
    }

    /// What a table shows, as the description of an object.
    func shape<Subject>() -> Shape where Element == Shown<Subject> { .object(map(\.field)) }

    /// The same, of many.
    func shapes<Subject>(max: Int) -> Shape where Element == Shown<Subject> {
        .list(shape(), max: max, nonEmpty: false)
    }
}

/// What fields of a status are.
enum StatusShape {
    static let text = Shape.string(.any)
    static let number = Shape.integer(0 ... .max)
    static let texts = Shape.list(.string(.any), max: Int(Int32.max), nonEmpty: false)
}
