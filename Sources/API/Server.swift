import CLinux
import Glibc
import HTTP
public import Loop
import Machine
import Manifests
public import Planner
public import Reconciler
import Values

/// The API: Kubernetes-style resources over HTTP on a unix socket.
///
/// Everything runs on the loop's thread and reads committed state only. Changes go through `Loop.submit`.
public final class Server {
    let loop: Loop
    let eventLog: any EventLog
    let settings: Settings
    /// Looks at the file that waits to be restored; returns what is wrong with it, or nil when the daemon restarts with it.
    public var onRestore: () -> String? = { nil }
    private let http: HTTPServer
    var watches: [ObjectIdentifier: Watch] = [:]
    var followers: [ObjectIdentifier: EventFollower] = [:]
    var logFollowers: [ObjectIdentifier: LogFollower] = [:]
    let commandResults = Mailbox<(id: ObjectIdentifier, result: ExecutionResult)>()
    var commands: [ObjectIdentifier: CommandSession] = [:]
    private let random: () -> UID

    public struct Settings {
        public var version: String
        public var stateDirectory: String
        public var ownUID: UInt32
        public var startedAtMs: Int64
        public var logFiles: (String, RunID) -> [String]

        public init(
            version: String, stateDirectory: String, ownUID: UInt32, startedAtMs: Int64,
            logFiles: @escaping (String, RunID) -> [String]
        ) {
            self.version = version
            self.stateDirectory = stateDirectory
            self.ownUID = ownUID
            self.startedAtMs = startedAtMs
            self.logFiles = logFiles
        }
    }

    public init(loop: Loop, eventLog: any EventLog, settings: Settings) {
        self.loop = loop
        self.eventLog = eventLog
        self.settings = settings
        http = HTTPServer(events: loop.events)
        var generator = SystemRandomNumberGenerator()
        random = { UID(high: generator.next(), low: generator.next()) }
    }

    /// Serves on a listening unix socket. Only the daemon's user and root are let in.
    public func start(listenFD: Int32) -> Bool {
        loop.onCommit = { [unowned self] events in
            for watch in watches.values { watch.push(events) }
        }
        loop.events.receive(commandResults) { [unowned self] results in
            for (id, result) in results { commands.removeValue(forKey: id)?.finish(result) }
        }
        loop.onPublished = { [unowned self] in
            for follower in followers.values { follower.pump() }
        }
        return http.start(listenFD: listenFD) { [unowned self] exchange in route(exchange) }
    }

    public func stop() { http.stop() }

    private func route(_ exchange: Exchange) {
        guard let peer = exchange.peerUID, peer == 0 || peer == settings.ownUID else {
            let message = "this socket serves user \(settings.ownUID) and root only"
            return fail(exchange, Failure(code: 403, reason: "Forbidden", message: message))
        }
        if exchange.isTooLarge {
            return fail(
                exchange,
                Failure(
                    code: 413, reason: "RequestEntityTooLarge",
                    message: "the request is larger than \(Limits.inputBytesMax >> 20) MiB"))
        }
        let parts = exchange.path.split(separator: "/").map { Percent.decode(String($0)) }
        switch (exchange.method, parts.first) {
        case ("GET", "livez"), ("GET", "healthz"): exchange.respond(200, "text/plain", Array("ok".utf8))
        case ("GET", "readyz"): ready(exchange)
        case ("GET", "metrics"): exchange.respond(200, "text/plain; version=0.0.4", Array(metrics().utf8))
        case ("GET", "version"): exchange.respond(200, version())
        case (_, "api"), (_, "apis"): routeResource(exchange, parts)
        default: fail(exchange, notFound(exchange))
        }
    }

    private func ready(_ exchange: Exchange) {
        if let problem = loop.storeProblem {
            return exchange.respond(503, "text/plain", Array("the store refuses writes: \(problem)\n".utf8))
        }
        exchange.respond(200, "text/plain", Array("ok".utf8))
    }

    private func version() -> Node {
        .map([
            ("major", "1"), ("minor", "30"), ("gitVersion", .text("v1.30.0+agentos.\(settings.version)")),
            ("agentos", .text(settings.version)), ("platform", "linux"),
        ])
    }

    private func routeResource(_ exchange: Exchange, _ parts: [String]) {
        let group = parts[0] == "api" ? "" : parts.count > 1 ? parts[1] : ""
        let rest = Array(parts.dropFirst(parts[0] == "api" ? 2 : 3))
        if rest.isEmpty { return discovery(exchange, parts) }
        guard group.isEmpty || group == "agentos.dev", parts[parts[0] == "api" ? 1 : 2] == "v1" else {
            return fail(exchange, notFound(exchange))
        }
        if group == "agentos.dev", routeOperations(exchange, rest) { return }
        if rest.count == 1 || (rest.count == 2 && rest[0] == "namespaces" && group.isEmpty) {
            guard let kind = kind(rest[0], group) else { return fail(exchange, notFound(exchange)) }
            if rest.count == 2 { return item(exchange, ObjectKey(kind, namespace: "", name: rest[1])) }
            return collection(exchange, kind, namespace: nil)
        }
        guard rest[0] == "namespaces", rest.count >= 3, let kind = kind(rest[2], group), kind.isNamespaced else {
            return fail(exchange, notFound(exchange))
        }
        if rest.count == 3 { return collection(exchange, kind, namespace: rest[1]) }
        let key = ObjectKey(kind, namespace: rest[1], name: rest[3])
        switch rest.count {
        case 4: item(exchange, key)
        case 5 where rest[4] == "log" && kind == .agent && exchange.method == "GET": log(exchange, key)
        case 5 where rest[4] == "events" && exchange.method == "GET": objectEvents(exchange, key)
        case 5 where rest[4] == "sync" && kind == .source && exchange.method == "POST": sync(exchange, key)
        case 5 where rest[4] == "preview" && kind == .source && exchange.method == "GET": preview(exchange, key)
        case 5 where rest[4] == "exec" && kind == .agent && exchange.method == "POST": execute(exchange, key)
        default: fail(exchange, notFound(exchange))
        }
    }

    private func kind(_ resource: String, _ group: String) -> Kind? {
        Kind.allCases.first { $0.resource == resource && $0.group == group }
    }

    private func discovery(_ exchange: Exchange, _ parts: [String]) {
        let version = Node.map([("groupVersion", "agentos.dev/v1"), ("version", "v1")])
        switch parts {
        case ["api"]: exchange.respond(200, .map([("kind", "APIVersions"), ("versions", ["v1"])]))
        case ["apis"]:
            exchange.respond(
                200,
                .map([
                    ("kind", "APIGroupList"), ("apiVersion", "v1"),
                    (
                        "groups",
                        [.map([("name", "agentos.dev"), ("versions", [version]), ("preferredVersion", version)])]
                    ),
                ]))
        case ["api", "v1"], ["apis", "agentos.dev", "v1"]:
            let group = parts[0] == "api" ? "" : "agentos.dev"
            let kinds = Kind.allCases.filter { $0.group == group }
            exchange.respond(
                200,
                .map([
                    ("kind", "APIResourceList"), ("apiVersion", "v1"),
                    ("groupVersion", .text(group.isEmpty ? "v1" : "agentos.dev/v1")),
                    (
                        "resources",
                        .list(
                            kinds.map { kind in
                                .map([
                                    ("name", .text(kind.resource)), ("singularName", .text(kind.singular)),
                                    ("namespaced", Node(.bool(kind.isNamespaced))), ("kind", .text(kind.rawValue)),
                                    ("shortNames", .list(kind.shortNames.map(Node.text))),
                                    ("verbs", ["delete", "get", "list", "patch", "watch"]),
                                ])
                            })
                    ),
                ]))
        default: fail(exchange, notFound(exchange))
        }
    }

    // MARK: Objects

    private func item(_ exchange: Exchange, _ key: ObjectKey) {
        switch exchange.method {
        case "GET":
            guard let object = loop.engine.state.objects[key] else { return fail(exchange, .notFound(key)) }
            exchange.respond(200, shown(object, secrets: exchange.flag("showSecrets")))
        case "PATCH": patch(exchange, key)
        case "DELETE": delete(exchange, key)
        default: fail(exchange, methodNotAllowed(exchange))
        }
    }

    /// The object as it may be shown: values of a Secret only when asked for.
    func shown(_ object: StoredObject, secrets: Bool) -> Node {
        hideSecrets(loop.engine.render(object), object.key.kind, shown: secrets)
    }

    func hideSecrets(_ node: Node, _ kind: Kind, shown: Bool) -> Node {
        guard kind == .secret, !shown, let data = node["data"]?.map else { return node }
        var node = node
        // Not base64: what is shown here cannot be applied by mistake.
        node["data"] = .map(data.entries.map { ($0.key, .text("(hidden)")) })
        return node
    }

    private func patch(_ exchange: Exchange, _ key: ObjectKey) {
        guard (exchange.header("Content-Type") ?? "").hasPrefix("application/apply-patch+yaml") else {
            let message = "only server-side apply is supported: Content-Type application/apply-patch+yaml"
            return fail(exchange, Failure(code: 415, reason: "UnsupportedMediaType", message: message))
        }
        guard let manager = exchange.query("fieldManager"), !manager.isEmpty, manager.utf8.count <= 128 else {
            let cause = Failure.Cause(
                reason: "FieldValueRequired", message: "is required for apply patch", field: "fieldManager")
            return fail(exchange, .invalid(key, [cause]))
        }
        var diagnostics = Diagnostics()
        let node = ManifestReader.documents(exchange.body, file: "body", diagnostics: &diagnostics).first
        guard let node, diagnostics.isEmpty else {
            let message = diagnostics.kept.first?.description ?? "the body is empty"
            return fail(exchange, Failure(code: 400, reason: "BadRequest", message: message))
        }
        if node[path: "metadata", "managedFields"] != nil {
            return fail(
                exchange,
                Failure(code: 400, reason: "BadRequest", message: "metadata.managedFields must be nil in an apply"))
        }
        for (field, expected) in [("name", key.name), ("namespace", key.namespace)] {
            if let named = node[path: "metadata", field]?.string, named != expected, !expected.isEmpty {
                let message = "metadata.\(field) is \"\(named)\", but the address says \"\(expected)\""
                return fail(exchange, Failure(code: 400, reason: "BadRequest", message: message))
            }
        }
        let apply = Request.Apply(
            key: key, node: node, manager: manager, force: exchange.flag("force"),
            dryRun: exchange.query("dryRun") == "All",
            source: exchange.header("Agentos-Source").map(Percent.decode) ?? "", freshUID: random())
        loop.submit(actor: actor(exchange), .apply(apply)) { [self] answer in reply(exchange, answer, key.kind) }
    }

    private func delete(_ exchange: Exchange, _ key: ObjectKey) {
        var diagnostics = Diagnostics()
        let options =
            exchange.body.isEmpty ? nil : JSONReader.read(exchange.body, file: "body", diagnostics: &diagnostics)
        let grace = options?["gracePeriodSeconds"]?.int ?? exchange.query("gracePeriodSeconds").flatMap { Int($0) }
        if let grace, !(0...86_400).contains(grace) {
            let cause = Failure.Cause(
                reason: "FieldValueInvalid", message: "must be from 0 to 86400", field: "gracePeriodSeconds")
            return fail(exchange, .invalid(key, [cause]))
        }
        loop.submit(actor: actor(exchange), .delete(key, graceMs: grace.map { Int64($0) * 1000 })) { [self] answer in
            reply(exchange, answer, key.kind)
        }
    }

    func actor(_ exchange: Exchange) -> String { "uid:\(exchange.peerUID ?? .max)" }

    func reply(_ exchange: Exchange, _ answer: Answer, _ kind: Kind?) {
        switch answer {
        case .applied(let node, let result, let restarts):
            var headers = [("Agentos-Result", result.rawValue)]
            if !restarts.isEmpty { headers.append(("Agentos-Restarts", restarts.joined(separator: ","))) }
            exchange.respond(
                result == .created ? 201 : 200, kind.map { hideSecrets(node, $0, shown: false) } ?? node,
                headers: headers)
        case .deleted(let node?): exchange.respond(200, kind.map { hideSecrets(node, $0, shown: false) } ?? node)
        case .deleted(nil), .execution, .done:
            exchange.respond(
                200, .map([("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Success")]))
        case .failure(let failure): fail(exchange, failure)
        }
    }

    private func collection(_ exchange: Exchange, _ kind: Kind, namespace: String?) {
        guard exchange.method == "GET" else { return fail(exchange, methodNotAllowed(exchange)) }
        let selector: Selector
        do throws(Failure) {
            selector = try Selector(labels: exchange.query("labelSelector"), fields: exchange.query("fieldSelector"))
        } catch {
            return fail(exchange, error)
        }
        if exchange.flag("watch") { return watch(exchange, kind, namespace, selector) }
        let state = loop.engine.state
        var bytes: [UInt8] = []
        bytes.append(
            contentsOf:
                "{\"kind\":\"\(kind.rawValue)List\",\"apiVersion\":\"\(kind.apiVersion)\",\"metadata\":{\"resourceVersion\":\"\(state.resourceVersion)\"},\"items\":["
                .utf8)
        var isFirst = true
        for object in state.list(kind, namespace: namespace) where selector.matches(object) {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONWriter.write(shown(object, secrets: false), into: &bytes)
        }
        bytes.append(contentsOf: "]}".utf8)
        exchange.respond(200, "application/json", bytes)
    }

    private func watch(_ exchange: Exchange, _ kind: Kind, _ namespace: String?, _ selector: Selector) {
        let watch = Watch(server: self, exchange: exchange, kind: kind, namespace: namespace, selector: selector)
        let id = ObjectIdentifier(watch)
        watches[id] = watch
        exchange.onClose = { [weak self] in self?.watches[id] = nil }
        watch.start(from: exchange.query("resourceVersion"))
        if let seconds = exchange.query("timeoutSeconds").flatMap({ Int64($0) }), seconds > 0 {
            loop.events.after(ms: seconds * 1000) { [weak exchange] in exchange?.end() }
        }
    }

    // MARK: Errors

    func fail(_ exchange: Exchange, _ failure: Failure) {
        var details: Node?
        if failure.key != nil || !failure.causes.isEmpty {
            details = .map([
                ("name", (failure.key?.name).map(Node.text)), ("group", (failure.key?.kind.group).map(Node.text)),
                ("kind", (failure.key?.kind).map { .text(failure.code == 404 ? $0.resource : $0.rawValue) }),
                (
                    "causes",
                    failure.causes.isEmpty
                        ? nil
                        : .list(
                            failure.causes.map {
                                .map([
                                    ("reason", .text($0.reason)), ("message", .text($0.message)),
                                    ("field", .text($0.field)),
                                ])
                            })
                ),
            ])
        }
        exchange.respond(
            failure.code,
            .map([
                ("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Failure"),
                ("message", .text(failure.message)), ("reason", .text(failure.reason)), ("details", details),
                ("code", .number(failure.code)),
            ]), headers: failure.code == 503 ? [("Retry-After", "1")] : [])
    }

    func notFound(_ exchange: Exchange) -> Failure {
        Failure(
            code: 404, reason: "NotFound", message: "the server could not find the requested resource \(exchange.path)")
    }

    func methodNotAllowed(_ exchange: Exchange) -> Failure {
        Failure(
            code: 405, reason: "MethodNotAllowed", message: "\(exchange.method) is not supported for \(exchange.path)")
    }
}
