/// A place in a tree while it is walked; its text is made only for who asks.
public struct NodePath: Sendable {
    private enum Step: Sendable {
        case key(String)
        case index(Int)
    }

    private var steps: [Step] = []

    public init() {}

    /// Goes into a field; `leave` goes back.
    public mutating func enter(_ key: String) { steps.append(.key(key)) }
    /// Goes into an item of a list; `leave` goes back.
    public mutating func enter(_ index: Int) { steps.append(.index(index)) }
    /// Goes back out of what was entered last.
    public mutating func leave() { steps.removeLast() }

    /// As Kubernetes writes paths: `spec.env[2].name`; empty for the whole.
    public var text: String {
        steps.reduce(into: "") { text, step in
            switch step {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
    }
}
