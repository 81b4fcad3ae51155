import HTTP
import Loop
import Machine
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    func watch(_ call: Call, _ selector: Selector, _ options: ListOptions) throws(Failure) {
        let watch = Watch(server: self, call: call, selector: selector)
        let id = watch.number
        watches[id] = watch
        var timers: [EventLoop.TimerID] = []
        if let seconds = call.parameters[Query.timeoutSeconds], seconds > 0 {
            timers.append(loop.events.after(ms: seconds * 1000) { [weak watch] in watch?.end() })
        }
        call.exchange.onClose = { [weak self] in
            self?.watches[id] = nil
            for timer in timers { self?.loop.events.cancel(timer) }
        }
        guard call.startStream("application/json") else { return }
        watch.start(from: options.version)
    }
}

/// One client's watch of a collection.
final class Watch {
    let number: Int
    private unowned let server: Server
    private let exchange: Exchange
    private let kind: Kind
    private let namespace: String?
    private let selector: Selector
    private let wantsBookmarks: Bool
    private let wantsInitialEvents: Bool
    private let resource: Resource
    private let representation: Representation
    private let trace: Trace
    private var hasColumns = false

    init(server: Server, call: Call, selector: Selector) {
        self.server = server
        number = server.nextStream()
        self.selector = selector
        exchange = call.exchange
        kind = call.kind
        namespace = call.namespace
        trace = call.trace
        wantsBookmarks = call.parameters.has(Query.allowWatchBookmarks)
        resource = call.resource
        representation = Representation(call)
        wantsInitialEvents = call.parameters.has(Query.sendInitialEvents)
    }

    /// Tells what there is and then what changes; or what has changed since a version, and then what changes.
    func start(from version: Int64?) {
        let published = server.loop.published
        if let version, version > published.resourceVersion { return expire() }
        guard let version, version > 0, !wantsInitialEvents else {
            for object in published[kind].objects(namespace: namespace, after: nil) {
                for document in server.documents(object, resource) where selector.matches(document.selectable) {
                    send(.added, document, object)
                }
            }
            if wantsInitialEvents, wantsBookmarks { bookmark(endsInitialEvents: true) }
            return planBookmark()
        }
        guard let changes = published.changes(of: kind, since: version) else { return expire() }
        push(changes)
        planBookmark()
    }

    func end() {
        if wantsBookmarks { bookmark() }
        exchange.end()
    }

    func push(_ changes: some Sequence<PublishedChange>) {
        for change in changes where change.object.key.kind == kind {
            guard namespace == nil || change.object.key.namespace == namespace else { continue }
            for difference in server.differences(change, resource) {
                let isIn = !difference.isGone && selector.matches(difference.document.selectable)
                let wasIn = difference.before.map(selector.matches) ?? false
                if isIn {
                    send(wasIn ? .modified : .added, difference.document, change.object)
                } else if wasIn {
                    send(.deleted, difference.document, change.object)
                }
            }
        }
    }

    private func send(_ change: WatchEvent.Change, _ document: Document, _ object: PublishedObject) {
        // The columns come with the first table alone.
        let bytes = server.bytes(document, of: object, representation)
        let shown = representation.single(bytes, withColumns: !hasColumns)
        hasColumns = true
        exchange.write([Self.begin[change] ?? [], shown, Self.lineEnd])
    }

    private static let lineEnd = Array("}\n".utf8)
    private static let begin: [WatchEvent.Change: [UInt8]] = Dictionary(
        uniqueKeysWithValues: [WatchEvent.Change.added, .modified, .deleted].map {
            ($0, Array("{\"type\":\"\($0.rawValue)\",\"object\":".utf8))
        })

    private func expire() {
        var failure = Failure(
            code: 410, reason: "Expired", message: "the resourceVersion is not held any more; list again"
        ).status(trace)
        failure["details"] = nil
        exchange.write(JSONWriter.bytes(.map([("type", "ERROR"), ("object", failure)])) + [0x0a])
        exchange.end()
    }

    // MARK: Bookmarks

    /// Tells the version that the client has seen everything of.
    private func bookmark(endsInitialEvents: Bool = false) {
        let object = representation.bookmark(
            version: server.loop.published.resourceVersion, endsInitialEvents: endsInitialEvents)
        exchange.write(JSONWriter.bytes(.map([("type", "BOOKMARK"), ("object", object)])) + [0x0a])
    }

    private func planBookmark() {
        guard wantsBookmarks else { return }
        server.loop.events.after(ms: Int64(Limits.bookmarkMs)) { [weak self] in
            guard let self, server.watches[number] != nil else { return }
            bookmark()
            planBookmark()
        }
    }
}
