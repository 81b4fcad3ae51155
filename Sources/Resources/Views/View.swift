public import Manifests
public import Values

/// What a client that knows no agents sees of them: documents that are made of a stored object when it is read.
///
/// A view is pure: lists, watches, selectors and Tables treat its documents as they treat stored objects.
public struct View: Sendable {
    /// The kind whose objects it shows.
    public let kind: Kind
    /// The documents of one object, made of the object as it is shown; their names are distinct.
    public let documents: @Sendable (Node) -> [Node]
    /// The name of the object that a document of this name is made of, if there is such a document.
    public let owner: @Sendable (String) -> String?
    /// What is stored when a document is written, or a part of one; nil: it is not written. Each object has one document
    /// then.
    public let stored: (@Sendable (Node) -> Node)?

    init(
        of kind: Kind, owner: @escaping @Sendable (String) -> String?, stored: (@Sendable (Node) -> Node)? = nil,
        documents: @escaping @Sendable (Node) -> [Node]
    ) {
        self.kind = kind
        self.owner = owner
        self.stored = stored
        self.documents = documents
    }
}
