import CLinux
import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    func collection(_ call: Call) {
        do throws(Failure) {
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector],
                of: call.resource)
            let options = try ListOptions(call)
            if call.action.verb == .watch { return try watch(call, selector, options) }
            try list(call, selector, options)
        } catch {
            call.fail(error)
        }
    }

    /// A list is a join of the texts of its documents; a long one is read in pages, all of one version.
    private func list(_ call: Call, _ selector: Selector, _ options: ListOptions) throws(Failure) {
        let representation = Representation(call)
        var page = try page(call, options)
        let limit = call.parameters[Query.limit].map { Int($0) } ?? 0
        let isPlain = selector.isEmpty && representation.isText
        // The head comes last: it tells how far the list has got.
        var chunks: [[UInt8]] = [[]]
        var last: PublishedObject?
        for object in page.shelf.objects(namespace: call.namespace, after: page.place) {
            if limit > 0, chunks.count / 2 >= limit {
                page.isWhole = false
                break
            }
            last = object
            if isPlain {
                chunks.append(text(object))
                chunks.append(Self.comma)
                continue
            }
            for document in documents(object, call.resource) where selector.matches(document.selectable) {
                chunks.append(bytes(document, of: object, representation))
                chunks.append(Self.comma)
            }
        }
        if let last { page.place = last.key }
        if chunks.count > 1 { chunks.removeLast() }
        chunks[0] = representation.head(metadata: metadata(page, call, selector))
        chunks.append(Representation.listEnd)
        call.respond(200, json: chunks)
    }

    private static let comma = Array(",".utf8)

    /// A version of a collection, and how far a list has got in it.
    private struct Page {
        var shelf: Shelf
        var version: Int64
        var place: ObjectKey?
        var isWhole = true
    }

    private func page(_ call: Call, _ options: ListOptions) throws(Failure) -> Page {
        let kind = call.kind
        guard let token = call.parameters[Query.continuation] else {
            let version = loop.published.resourceVersion
            if options.isExact, let asked = options.version, asked < version,
                let held = heldLists.take(asked, kind, nowMs: agentos_boot_ms())
            {
                return Page(shelf: held, version: asked)
            }
            try options.check(current: version)
            return Page(shelf: loop.published[kind], version: version)
        }
        guard let continuation = Continuation(token, call.resource) else {
            throw .badRequest("continue: is none of this list")
        }
        guard let held = heldLists.take(continuation.version, kind, nowMs: agentos_boot_ms()) else {
            throw Failure(
                code: 410, reason: "Expired", message: "the list is not held any more; begin it again without continue")
        }
        return Page(shelf: held, version: continuation.version, place: continuation.place)
    }

    private func metadata(_ page: Page, _ call: Call, _ selector: Selector) -> String {
        var metadata = "\"resourceVersion\":\"\(page.version)\""
        guard !page.isWhole, let place = page.place else { return metadata }
        heldLists.hold(page.shelf, page.version, call.kind, nowMs: agentos_boot_ms())
        let token = Continuation(version: page.version, place: place).token(call.resource)
        metadata += ",\"continue\":\"\(token)\""
        // Nobody knows how many documents a view will make of the rest.
        if case .objects = call.resource.home, selector.isEmpty {
            let rest = page.shelf.objects(namespace: call.namespace, after: place).reduce(0) { count, _ in count + 1 }
            metadata += ",\"remainingItemCount\":\(rest)"
        }
        return metadata
    }
}

/// Where a list in pages goes on: a version of the collection, and a place in it.
struct Continuation: Equatable {
    var version: Int64
    var place: ObjectKey

    init(version: Int64, place: ObjectKey) {
        self.version = version
        self.place = place
    }

    /// Reads a token; nil for one that this resource never gave out.
    init?(_ token: String, _ resource: Resource) {
        let standard = token.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard let bytes = Base64.decode(standard + padding) else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let kind = resource.storedKind, parts.count == 4, parts[0] == resource.qualifiedName,
            let version = WholeNumber.read(parts[1], in: 0...Int64.max)
        else { return nil }
        self.version = version
        place = ObjectKey(kind, namespace: String(parts[2]), name: String(parts[3]))
    }

    func token(_ resource: Resource) -> String {
        Base64.encode(Array("\(resource.qualifiedName)\n\(version)\n\(place.namespace)\n\(place.name)".utf8))
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

/// Versions of collections that lists in pages go on with.
struct HeldLists {
    private struct Held {
        var kind: Kind
        var version: Int64
        var shelf: Shelf
        var untilMs: Int64
    }

    private var lists: [Held] = []

    mutating func hold(_ shelf: Shelf, _ version: Int64, _ kind: Kind, nowMs: Int64) {
        lists.removeAll { $0.untilMs < nowMs || ($0.version == version && $0.kind == kind) }
        if lists.count >= Limits.heldListsMax { lists.removeFirst() }
        lists.append(Held(kind: kind, version: version, shelf: shelf, untilMs: nowMs + Int64(Limits.heldListMs)))
    }

    mutating func take(_ version: Int64, _ kind: Kind, nowMs: Int64) -> Shelf? {
        lists.removeAll { $0.untilMs < nowMs }
        return lists.first { $0.version == version && $0.kind == kind }?.shelf
    }
}
