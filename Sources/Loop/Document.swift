public import Values

/// What readers are shown of an object in one place: the object itself, or one of the documents that a view makes of it.
///
/// Each form of it is encoded when it is first asked for, once for all who read it.
public final class Document {
    /// How a document can be written.
    public enum Form: Sendable, Hashable {
        case whole
        case metadata
        /// A row of a Table, with what it carries beside its cells.
        case row(Included)
    }

    /// What a row of a Table carries of its object.
    public enum Included: String, Sendable {
        case none = "None"
        case metadata = "Metadata"
        case object = "Object"
    }

    public let selectable: Selectable
    /// What a view has made; nil for an object itself, which has its text.
    public let node: Node?
    private var forms: [Form: Encoded] = [:]

    public init(_ selectable: Selectable, node: Node? = nil) {
        self.selectable = selectable
        self.node = node
    }

    /// The document in a form, made when nobody has asked for it yet.
    public func encoded(_ form: Form, _ make: () -> Encoded) -> Encoded {
        if let known = forms[form] { return known }
        let made = make()
        forms[form] = made
        return made
    }
}

/// A text in which ages stand that are counted when it is sent.
public struct Encoded {
    private var text: [UInt8] = []
    /// Where an age stands in the text, and the moment that it counts from; nil for one that is not known.
    private var ages: [(offset: Int, sinceMs: Int64?)] = []

    public init(_ text: [UInt8] = []) { self.text = text }

    /// Adds text that is always the same.
    public mutating func append(_ more: some Sequence<UInt8>) { text += more }

    /// Adds the time since a moment.
    public mutating func appendAge(since ms: Int64?) { ages.append((text.count, ms)) }

    /// The text as it reads now.
    public func bytes(nowMs: Int64) -> [UInt8] {
        if ages.isEmpty { return text }
        var out: [UInt8] = []
        out.reserveCapacity(text.count + 8 * ages.count)
        var start = 0
        for (offset, since) in ages {
            out += text[start..<offset]
            out += Age.text(sinceMs: since, nowMs: nowMs).utf8
            start = offset
        }
        return out + text[start...]
    }
}

/// What selectors look at.
public struct Selectable: Sendable {
    public let namespace: String
    public let name: String
    private let labels: Node?
    /// By path, in the order of the resource's description.
    private let fields: [(path: String, value: String)]

    public init(namespace: String, name: String, labels: Node?, fields: [(path: String, value: String)]) {
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.fields = fields
    }

    /// A document that says all by itself.
    public init(_ node: Node, fields: [String]) {
        self.init(
            namespace: node[path: "metadata", "namespace"]?.string ?? "",
            name: node[path: "metadata", "name"]?.string ?? "", labels: node[path: "metadata", "labels"],
            fields: fields.compactMap { path in node.scalar(at: path).map { (path, $0) } })
    }

    /// The value of a label.
    public func label(_ name: String) -> String? { labels?[name]?.string }

    /// The value of a field; what is absent selects as an empty text.
    public func field(_ path: String) -> String {
        switch path {
        case "metadata.name": name
        case "metadata.namespace": namespace
        default: fields.first { $0.path == path }?.value ?? ""
        }
    }
}

extension Node {
    /// The text of what stands at a path such as `involvedObject.name`; nil for a map, a list and nothing.
    public func scalar(at path: String) -> String? {
        var node = self
        for part in path.utf8.split(separator: UInt8(ascii: ".")) {
            guard let next = node[String(Substring(part))] else { return nil }
            node = next
        }
        return node.scalarText
    }
}
