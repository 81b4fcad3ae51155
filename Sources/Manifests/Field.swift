public import Values

/// One field of a kind: the single description from which validation, defaults, JSON Schema and the
/// question "does a change of it restart?" are all answered.
public struct Field: Sendable {
    public var name: String
    public var shape: Shape
    public var required = false
    /// What an absent field means; filled in before anything is stored, so that it can be seen.
    var fallback: Node?
    /// A change raises the agent's revision and so restarts its replicas.
    public var restarts = false
    public var text: String

    public init(
        _ name: String, _ shape: Shape, required: Bool = false, fallback: Node? = nil,
        restarts: Bool = false,
        text: String
    ) {
        self.name = name
        self.shape = shape
        self.required = required
        self.fallback = fallback
        self.restarts = restarts
        self.text = text
    }
}

extension Field {
    /// What an absent field means where there are these drivers.
    public func fallback(among drivers: DriverTable) -> Node? {
        if case .driver = shape { drivers.usual.map { .text($0.name) } } else { fallback }
    }
}

/// The values that a field can take.
public indirect enum Shape: Sendable {
    case string(StringRule)
    case integer(ClosedRange<Int64>)
    case number(ClosedRange<Double>)
    case boolean
    case quantity(QuantityRule)
    case enumeration([String])
    /// The name of one of the drivers.
    case driver
    case list(Shape, max: Int, nonEmpty: Bool)
    /// A map from names to strings; Secret data may be large.
    case strings(StringRule, values: StringRule)
    case object([Field])
    /// Exactly one of the fields.
    case union([Field])
    /// Kept as it is: written by the daemon, ignored when applied.
    case anything
}

extension Shape {
    /// The words that an enumeration of this program has.
    static func words<Word: CaseIterable & RawRepresentable>(of type: Word.Type) -> Shape
    where Word.RawValue == String {
        .enumeration(type.allCases.map(\.rawValue))
    }
}
