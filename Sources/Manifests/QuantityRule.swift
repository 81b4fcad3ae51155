import Values

/// What a quantity counts, and how much of it a field takes.
public enum QuantityRule: Sendable {
    /// Thousandths of a core.
    case cpu
    /// Bytes.
    case memory

    /// The value that a node says; nil when it is no quantity or fits into no number.
    func value(of node: Node) -> Int64? {
        switch self {
        case .cpu: Quantity.milli(node)
        case .memory: Quantity.units(node)
        }
    }

    var range: ClosedRange<Int64> {
        switch self {
        case .cpu: 0...Limits.cpuMilliMax
        case .memory: 0...Limits.memoryBytesMax
        }
    }

    /// What is expected, in words.
    public var words: String {
        switch self {
        case .cpu: "a quantity such as 250m or 1.5"
        case .memory: "a quantity such as 128Mi or 1Gi"
        }
    }

    /// The largest value, as people write it.
    var most: String {
        switch self {
        case .cpu: String(Limits.cpuMilliMax / 1000)
        case .memory: "\(Limits.memoryBytesMax >> 60)Ei"
        }
    }
}
