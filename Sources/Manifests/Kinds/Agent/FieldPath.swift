/// A field of an agent that its environment can show.
public enum FieldPath: Sendable, Equatable {
    case name, namespace, uid
    case label(String)

    public init?(_ text: String) {
        switch text {
        case "metadata.name": self = .name
        case "metadata.namespace": self = .namespace
        case "metadata.uid": self = .uid
        default:
            guard text.hasPrefix("metadata.labels['"), text.hasSuffix("']") else { return nil }
            self = .label(String(text.dropFirst(17).dropLast(2)))
        }
    }
}
