import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// What a resource shows of a stored object: the object itself, or what its view makes of it.
    func documents(_ object: PublishedObject, _ resource: Resource) -> [Document] {
        object.documents(of: resource.qualifiedName) {
            switch resource.home {
            case .objects: [Document(object.selectable)]
            case .view(let view):
                view.documents(shown(object)).map {
                    Document(Selectable($0, fields: resource.selectableFields), node: $0)
                }
            case .measurements, .reviews, .records: []
            }
        }
    }

    /// The documents that a change has taken away, as they were, with the version of the change.
    private func removed(_ change: PublishedChange, _ resource: Resource) -> [Document] {
        guard let before = change.before else { return [] }
        return change.object.documents(of: "\(resource.qualifiedName) removed") {
            let left = change.change == .deleted ? [] : documents(change.object, resource)
            return documents(before, resource).filter { old in
                !left.contains { $0.selectable.name == old.selectable.name }
            }.map { old in
                var node = old.node ?? .emptyMap
                var metadata = node["metadata"] ?? .emptyMap
                metadata["resourceVersion"] = .text(String(change.resourceVersion))
                node["metadata"] = metadata
                return Document(old.selectable, node: node)
            }
        }
    }

    /// What one change means for those who watch a resource.
    ///
    /// - Returns: each document that it touches, as it is or, when it is gone, as it was; and how it was before.
    func differences(
        _ change: PublishedChange, _ resource: Resource
    ) -> [(document: Document, before: Selectable?, isGone: Bool)] {
        guard case .view = resource.home else {
            let document = documents(change.object, resource)[0]
            return [(document, change.before?.selectable, change.change == .deleted)]
        }
        let before = change.before.map { documents($0, resource) } ?? []
        let now = change.change == .deleted ? [] : documents(change.object, resource)
        let changed = now.compactMap { document -> (document: Document, before: Selectable?, isGone: Bool)? in
            let old = before.first { $0.selectable.name == document.selectable.name }
            if let old, isSame(old, document) { return nil }
            return (document, old?.selectable, false)
        }
        return changed + removed(change, resource).map { ($0, $0.selectable, true) }
    }

    /// Nothing but the version of the object that they are made of differs.
    private func isSame(_ one: Document, _ other: Document) -> Bool {
        func content(_ document: Document) -> Node? {
            var node = document.node
            var metadata = node?["metadata"]
            metadata?["resourceVersion"] = nil
            metadata?["generation"] = nil
            node?["metadata"] = metadata
            return node
        }
        return content(one) == content(other)
    }

    // MARK: Texts

    /// A document as a client wants it.
    func bytes(_ document: Document, of object: PublishedObject, _ representation: Representation) -> [UInt8] {
        representation.bytes(document) { [self] in
            guard let node = document.node else { return text(object) }
            return document.encoded(.whole) { Encoded(JSONWriter.bytes(node)) }.bytes(nowMs: 0)
        }
    }

    private func shown(_ object: PublishedObject) -> Node {
        JSONReader.read(String(decoding: text(object), as: UTF8.self)) ?? .emptyMap
    }

    /// The document that a path names, and the object that it is made of.
    func find(_ call: Call) -> (document: Document, object: PublishedObject)? {
        guard let kind = call.resource.storedKind else { return nil }
        let owner: String?
        if case .view(let view) = call.resource.home { owner = view.owner(call.name) } else { owner = call.name }
        guard let owner, let object = loop.published[kind][call.namespace ?? "", owner] else { return nil }
        return documents(object, call.resource).first { $0.selectable.name == call.name }.map { ($0, object) }
    }
}
