import HTTPClient
package import Values

/// One event, as delivered.
package struct EventView {
    let node: Node

    package init(node: Node) { self.node = node }

    var position: Int { node["position"]?.int ?? 0 }
    var occurredAt: String? { node["occurred_at"]?.string }
    var type: String { node["event_type"]?.string ?? "" }

    /// `namespace/name` of its object.
    var objectName: String {
        let namespace = node[path: "object", "namespace"]?.string ?? ""
        return (namespace.isEmpty ? "" : "\(namespace)/") + (node[path: "object", "name"]?.string ?? "")
    }

    /// `ordinal/attempt` of its run.
    var run: String {
        guard let id = node["run_id"]?.string else { return "-" }
        let parts = id.split(separator: "-")
        return parts.count == 3 ? "\(Int(parts[1]) ?? 0)/\(Int(parts[2]) ?? 0)" : id
    }

    /// Reason, code or signal, message, and what restarts.
    var detail: String {
        let data = node["data"]
        let code = data?["exitCode"]?.int.map { "code \($0)" } ?? data?["signal"]?.string
        let restarts = data?["restarts"]?.list.map { "restarts: \($0.compactMap(\.string).joined(separator: ", "))" }
        return [data?["reason"]?.string, code, data?["message"]?.string, restarts].compactMap(\.self)
            .joined(separator: ", ")
    }
}

/// One line of the event log: the event, and where the log goes on behind it.
struct EventLogView {
    let event: EventView
    let offset: Int

    init?(_ node: Node) {
        guard let event = node["event"] else { return nil }
        self.event = EventView(node: event)
        offset = node["offset"]?.int ?? 0
    }
}

/// What one run uses: counters since its start.
struct UsageView {
    let node: Node

    var namespace: String { node["namespace"]?.string ?? "" }
    var agent: String { node["agent"]?.string ?? "" }
    var ordinal: Int { node["ordinal"]?.int ?? 0 }
    var run: String { node["run"]?.string ?? "" }
    var cpuNanoseconds: Int { node["cpuNanoseconds"]?.int ?? 0 }
    var memoryBytes: Int { node["memoryBytes"]?.int ?? 0 }
    var processes: Int { node["processes"]?.int ?? 0 }
    var limits: ReplicaUse.Limits {
        ReplicaUse.Limits(
            cpuMilli: node["cpuLimitMilli"]?.int, memoryBytes: node["memoryLimitBytes"]?.int,
            processes: node["processesLimit"]?.int)
    }
}

/// One event whose delivery is looked after.
struct OutboxView {
    let node: Node

    var position: Int { node["position"]?.int ?? 0 }
    var state: String { node["state"]?.string ?? "" }
    var attempts: Int { node["attempts"]?.int ?? 0 }
    var type: String { node["event_type"]?.string ?? "" }
    var objectName: String { node[path: "event", "object", "name"]?.string ?? "" }
    var error: String { node["error"]?.string ?? "" }
}

/// A named sink, and how far it has got.
package struct SinkView {
    static let path = "/apis/agentos.dev/v1/sinks"

    let node: Node

    package init(node: Node) { self.node = node }

    var name: String { node["name"]?.string ?? "" }
    var kind: String { node["kind"]?.string ?? "" }
    var isRequired: Bool { node["required"]?.bool == true }
    var state: String { node["state"]?.string ?? "" }
    var lagEvents: Int { node["lagEvents"]?.int ?? 0 }
    var lagMs: Int { node["lagMilliseconds"]?.int ?? 0 }
    var delivered: Int { node["delivered"]?.int ?? 0 }
    var failures: Int { node["failures"]?.int ?? 0 }
    var deadLetters: Int { node["deadLetters"]?.int ?? 0 }
    var error: String { node["error"]?.string ?? "" }
}

extension SinkView {
    /// A sink may be so far behind before it is a problem.
    private static let lagMsMax = 60_000

    /// What is wrong with it, in one line; nil: it takes what there is for it.
    package var problem: String? {
        let letters = "has not taken \(deadLetters) event\(deadLetters == 1 ? "" : "s"), and their objects wait"
        let words: String? =
            switch state {
            case "Retrying": "takes no events now and is tried again"
            case "Parked": letters
            case "Blocked": "\(letters); so many that nothing new is tried"
            case "SwitchedOff": "wants no more events"
            case "NotConfigured": nil  // somebody took it away
            default: lagMs > Self.lagMsMax ? "is behind" : nil
            }
        guard let words else { return nil }
        let waiting =
            lagEvents > 0
            ? "; \(lagEvents) wait for it, the oldest for \(Age.text(sinceMs: 0, nowMs: Int64(lagMs)))" : ""
        let why = error.isEmpty ? "" : ": \(error)"
        return "sink \(name)\(isRequired ? ", which starts wait for," : "") \(words)\(waiting)\(why)".printable
    }
}

extension SinkView {
    /// What is wrong with those of a list, a line each.
    static func problems(_ list: Node) throws -> [String] { try list.items().compactMap { SinkView(node: $0).problem } }
}

extension Session {
    /// What is wrong with named sinks, a line each; nothing for those who may not list them.
    func sinkProblems() throws -> [String] {
        let response = try answer(Client.Request("GET", SinkView.path))
        if response.status == 403 { return [] }
        if !response.isSuccess { throw problem(response) }
        return try SinkView.problems(node(response))
    }
}

/// What the daemon refused, field by field.
struct CauseView {
    let field: String
    let message: String

    static func all(in status: Node) -> [CauseView] {
        (status[path: "details", "causes"]?.list ?? []).map {
            CauseView(field: $0["field"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
    }
}

/// What a Source would make of one object: one side is absent when it is created or deleted.
struct PreviewView {
    let live: ObjectView?
    let merged: ObjectView?

    init(_ node: Node) {
        live = node["live"].map(ObjectView.init)
        merged = node["merged"].map(ObjectView.init)
    }

    /// What the sync refuses, only reports and does not delete.
    static func notes(_ answer: Node) -> [String] {
        func words(_ name: String) -> [String] { (answer[name]?.list ?? []).compactMap(\.string) }
        let held = answer["pruneWaits"]?.int.map { "\($0) objects are no longer declared and are not deleted" }
        return words("errors") + words("driftedObjects").map { "\($0) was changed by others; it is left as it is" }
            + [held].compactMap(\.self)
    }
}

extension Node {
    /// The items of an answer that is a list.
    func items() throws -> [Node] {
        guard let items = self["items"]?.list else {
            throw CommandProblem(Client.Failure.notUnderstood("it is no list"), .socket(""))
        }
        return items
    }
}
