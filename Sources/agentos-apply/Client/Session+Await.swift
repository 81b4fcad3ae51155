import CLinux
import Glibc
import Manifests

extension Session {
    /// Waits until all objects reach the goal, one fails for good, or the time is up; says what happens meanwhile.
    func awaitAll(_ objects: [Awaited], _ goal: Goal, timeoutMs: Int64) throws -> ExitCode {
        let (deadlineMs, overflow) = agentos_boot_ms().addingReportingOverflow(timeoutMs)
        var waiting = Awaiting(objects, goal, deadlineMs: overflow ? .max : deadlineMs)
        defer { Terminal.live("") }
        while true {
            switch waiting.next(nowMs: agentos_boot_ms()) {
            case .look(let kind, _): try look(kind, &waiting)
            case .end(.met): return .success
            case .end(.failed): return .definiteFailure
            case .end(.missing(let names)):
                for name in names { Terminal.printError("\(name) not found") }
                return .failure
            case .end(.timedOut(let late)):
                Terminal.live("")
                for object in late.prefix(20) {
                    Terminal.printError(
                        "timed out waiting for \(object.kind.qualifiedSingular)/\(object.name) (\(object.phase)); see 'agentos-apply describe \(object.kind.singular) \(object.name) -n \(object.namespace)'"
                    )
                }
                return .timeout
            }
        }
    }

    /// One list, and the changes after it for as long as they are what is waited for.
    private func look(_ kind: Kind, _ waiting: inout Awaiting) throws {
        let indices = waiting.open(kind)
        let byKey = Dictionary(indices.map { (waiting[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
        // No more is read than what is waited for.
        let namespaces = Set(indices.map { waiting[$0].namespace })
        let namespace = namespaces.count == 1 && kind.isNamespaced ? namespaces.first : nil
        let query = indices.count == 1 ? [("fieldSelector", "metadata.name=\(waiting[indices[0]].name)")] : []

        let listing = try list(kind, namespace: namespace, query: query) { node -> (String, ObjectView)? in
            let object = ObjectView(node)
            let key = Awaited.key(object.namespace, object.name)
            return byKey[key] == nil ? nil : (key, object)
        }
        let found = Dictionary(listing.rows, uniquingKeysWith: { first, _ in first })
        for index in indices {
            try tell(waiting.observe(index, found[waiting[index].key], nowMs: agentos_boot_ms()), waiting)
        }
        guard case .look(kind, let until?) = waiting.next(nowMs: agentos_boot_ms()) else { return }

        var request = Client.Request("GET", Self.path(kind, namespace: namespace), query: query)
        request.query += [("watch", "true"), ("resourceVersion", listing.version)]
        request.timeoutMs = until - agentos_boot_ms()
        let end = try withoutActuallyEscaping(
            { (change: Change) throws -> Bool in
                let key = Awaited.key(change.object.namespace, change.object.name)
                guard let index = byKey[key] else { return true }
                let now = agentos_boot_ms()
                try tell(waiting.observe(index, change.isDeletion ? nil : change.object, nowMs: now), waiting)
                return waiting.next(nowMs: now) == .look(kind, followUntilMs: until)
            }, do: { try watch(request, take: $0) })
        // The daemon went away or dropped us: list again, after a moment.
        if end == .ended { usleep(200_000) }
    }

    private func tell(_ news: Awaiting.News?, _ waiting: Awaiting) throws {
        switch news {
        case .result(let line):
            Terminal.live("")
            try Terminal.print(line)
        case .progress(let line): if !Terminal.isInteractive { try Terminal.print(line) }
        case nil: break
        }
        if Terminal.isInteractive, let summary = waiting.summary { Terminal.live(summary) }
    }
}

extension Awaited {
    static func key(_ namespace: String, _ name: String) -> String { "\(namespace)/\(name)" }

    var key: String { Self.key(namespace, name) }
}
