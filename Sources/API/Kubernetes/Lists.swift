import CLinux
import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    func collection(_ call: Call) {
        do throws(Failure) {
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector])
            if call.action.verb == .watch { return try watch(call, selector) }
            try list(call, selector)
        } catch {
            call.fail(error)
        }
    }

    /// A list is a join of the stored texts of its objects; a long one is read in pages, all of one version.
    private func list(_ call: Call, _ selector: Selector) throws(Failure) {
        let kind = call.kind
        var (shelf, version, place) = (loop.published[kind], loop.published.resourceVersion, ObjectKey?.none)
        if let token = call.parameters[Query.continuation] {
            guard let continuation = Continuation(token, kind) else {
                throw .badRequest("continue: is none of this list")
            }
            guard let held = heldLists.take(continuation.version, kind, nowMs: agentos_boot_ms()) else {
                throw Failure(
                    code: 410, reason: "Expired",
                    message: "the list is not held any more; begin it again without continue")
            }
            (shelf, version, place) = (held, continuation.version, continuation.place)
        }
        let table = ObjectTable(call)
        let limit = call.parameters[Query.limit].map { Int($0) } ?? 0
        var items: [[UInt8]] = []
        var last: ObjectKey?
        var isWhole = true
        for object in shelf.objects(namespace: call.namespace, after: place) where selector.matches(object.selectable) {
            if limit > 0, items.count == limit {
                isWhole = false
                break
            }
            items.append(table?.row(text(object)) ?? text(object))
            last = object.key
        }
        var metadata = "\"resourceVersion\":\"\(version)\""
        if !isWhole, let last {
            heldLists.hold(shelf, version, kind, nowMs: agentos_boot_ms())
            metadata += ",\"continue\":\"\(Continuation(version: version, place: last).token)\""
            if selector.isEmpty {
                let rest = shelf.objects(namespace: call.namespace, after: last).reduce(0) { count, _ in count + 1 }
                metadata += ",\"remainingItemCount\":\(rest)"
            }
        }
        let head =
            "{\"kind\":\"\(kind.rawValue)List\",\"apiVersion\":\"\(kind.apiVersion)\",\"metadata\":{\(metadata)},\"items\":["
        var chunks: [[UInt8]] = [table?.head(metadata: metadata) ?? Array(head.utf8)]
        chunks.reserveCapacity(2 * items.count + 2)
        for (index, item) in items.enumerated() {
            if index > 0 { chunks.append(Self.comma) }
            chunks.append(item)
        }
        chunks.append(Self.listEnd)  // that of a Table, too
        call.respond(200, "application/json", chunks)
    }

    private static let comma = Array(",".utf8)
    private static let listEnd = Array("]}".utf8)
}

/// Where a list in pages goes on: a version of the collection, and a place in it.
struct Continuation: Equatable {
    var version: Int64
    var place: ObjectKey

    init(version: Int64, place: ObjectKey) {
        self.version = version
        self.place = place
    }

    /// Reads a token; nil for one that this kind never gave out.
    init?(_ token: String, _ kind: Kind) {
        let standard = token.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard let bytes = Base64.decode(standard + padding) else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == kind.resource, let version = Int64(parts[1]) else { return nil }
        self.version = version
        place = ObjectKey(kind, namespace: String(parts[2]), name: String(parts[3]))
    }

    var token: String {
        Base64.encode(Array("\(place.kind.resource)\n\(version)\n\(place.namespace)\n\(place.name)".utf8))
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
