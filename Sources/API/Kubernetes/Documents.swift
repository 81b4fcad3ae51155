import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// What a resource shows of a stored object: the object itself, or what its view makes of it.
    func documents(_ object: PublishedObject, _ resource: Resource) -> [Document] {
        switch resource.home {
        case .objects: [object.document]
        case .view(let view):
            object.documents(of: resource.qualifiedName) {
                view.documents(shown(object)).map {
                    Document(Selectable($0, fields: resource.selectableFields), node: $0)
                }
            }
        case .measurements, .revisions, .reviews, .records: []
        }
    }

    /// What one change means for those who watch a resource: each document that it touches.
    func differences(_ change: PublishedChange, _ resource: Resource) -> [PublishedChange.Difference] {
        change.differences(of: resource.qualifiedName) {
            guard case .view = resource.home else {
                let isGone = change.change == .deleted
                return [
                    PublishedChange.Difference(
                        change.object.document, before: change.before?.selectable, isGone: isGone)
                ]
            }
            let before = change.before.map { documents($0, resource) } ?? []
            let now = change.change == .deleted ? [] : documents(change.object, resource)
            let (earlier, left) = (byName(before), byName(now))
            let changed = now.compactMap { document -> PublishedChange.Difference? in
                let old = earlier[document.selectable.name]
                if let old, isSame(old, document) { return nil }
                return PublishedChange.Difference(document, before: old?.selectable, isGone: false)
            }
            let removed = before.filter { left[$0.selectable.name] == nil }.map { old in
                PublishedChange.Difference(
                    gone(old, at: change.resourceVersion), before: old.selectable, isGone: true)
            }
            return changed + removed
        }
    }

    private func byName(_ documents: [Document]) -> [String: Document] {
        Dictionary(documents.map { ($0.selectable.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// A document that a change has taken away, as it was, with the version of the change.
    private func gone(_ old: Document, at version: Int64) -> Document {
        var node = old.node ?? .emptyMap
        var metadata = node["metadata"] ?? .emptyMap
        metadata["resourceVersion"] = .text(String(version))
        node["metadata"] = metadata
        return Document(old.selectable, node: node)
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
        let namespace = call.namespace ?? ""
        switch call.resource.home {
        case .objects(let kind): return loop.published(kind, namespace, call.name).map { ($0.document, $0) }
        case .view(let view):
            guard let owner = view.owner(call.name), let object = loop.published(view.kind, namespace, owner) else {
                return nil
            }
            return documents(object, call.resource).first { $0.selectable.name == call.name }.map { ($0, object) }
        case .measurements, .revisions, .reviews, .records: return nil
        }
    }
}
