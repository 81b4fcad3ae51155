import CLinux
import Glibc
import Manifests
import Values

/// One object that a command waits for.
struct Awaited {
    var kind: Kind
    var namespace: String
    var name: String
    /// Status of an older generation says nothing.
    var generation: Int
}

enum Goal {
    case readyOrCompleted
    case condition(String)
    case completed
    case phase(String)
    case deleted

    enum Verdict {
        case met
        case notYet(String)
        case failed(String)
    }

    /// What an object says about the goal; nil: the object does not exist.
    func judge(_ node: Node?, generation: Int) -> Verdict {
        guard let node else {
            if case .deleted = self { return .met }
            return .failed("it was deleted")
        }
        if case .deleted = self { return .notYet(node[path: "status", "phase"]?.string ?? "Terminating") }
        let status = node["status"]
        let phase = status?["phase"]?.string ?? "Unknown"
        guard
            status?["observedGeneration"]?.int ?? .max
                >= max(generation, node[path: "metadata", "generation"]?.int ?? 0)
        else { return .notYet(phase) }
        let conditions = status?["conditions"]?.list ?? []
        func condition(_ type: String) -> Node? { conditions.first { $0["type"]?.string == type } }
        func holds(_ type: String) -> Bool { condition(type)?["status"]?.string == "True" }
        let isMet: Bool
        switch self {
        case .readyOrCompleted:
            // Nothing to run is what was asked for.
            let isIdle = phase == "Suspended" || (status?["replicas"]?.int == 0 && phase == "Stopped")
            isMet = holds("Ready") || phase == "Completed" || isIdle
        case .condition(let type): isMet = holds(type)
        case .completed: isMet = phase == "Completed"
        case .phase(let wanted): isMet = phase == wanted
        case .deleted: isMet = false
        }
        if isMet { return .met }
        let progressing = condition("Progressing")
        if progressing?["status"]?.string == "False" {
            return .failed(condition("Ready")?["message"]?.string ?? progressing?["message"]?.string ?? "failed")
        }
        // Of a Source: what stays so until somebody changes what it declares.
        if ["SyncFailed", "AgentFailed", "HealthTimeout"].contains(phase), case .readyOrCompleted = self {
            return .failed(condition("Ready")?["message"]?.string ?? phase)
        }
        return .notYet(phase)
    }
}

/// What is Ready must stay so for this long: a program that crashes at once was never up for anybody.
private let settleMs: Int64 = 500

/// Waits until all objects reach the goal, one fails for good, or the time is up; says what happens meanwhile.
func awaitAll(_ objects: [Awaited], _ goal: Goal, _ session: Session, timeoutMs: Int64) throws -> ExitCode {
    let start = agentos_boot_ms()
    var open: [String: Awaited] = [:]
    var shown: [String: String] = [:]
    var failed = false
    /// Ready, and watched for a moment more.
    var settling: Set<String> = []
    var settledAt: Int64 = 0
    var isSettling: Bool { settling.count == open.count }
    for object in objects { open[id(object.kind, object.namespace, object.name)] = object }
    let total = open.count

    func take(_ key: String, _ node: Node?) {
        guard let object = open[key] else { return }
        let name = "\(object.kind.qualifiedSingular)/\(object.name)"
        switch goal.judge(node, generation: object.generation) {
        case .met:
            if case .readyOrCompleted = goal, node?[path: "status", "phase"]?.string == "Ready" {
                guard settling.insert(key).inserted else { return }
                settledAt = agentos_boot_ms() + settleMs
            } else {
                open[key] = nil
                settling.remove(key)
            }
            if case .deleted = goal {} else { say("\(name): \(node?[path: "status", "phase"]?.string ?? "done")") }
        case .failed(let why):
            open[key] = nil
            settling.remove(key)
            failed = true
            say("\(name): failed: \(why)")
        case .notYet(let phase):
            settling.remove(key)
            if shown[key] != phase, !Terminal.isInteractive {
                if case .deleted = goal {} else { Terminal.print("\(name): \(phase)") }
            }
            shown[key] = phase
        }
        guard Terminal.isInteractive, !open.isEmpty else { return }
        let done = total - open.count + settling.count
        let next = shown.filter { open[$0.key] != nil && !settling.contains($0.key) }.min { $0.key < $1.key }
        let what = next.map { "\(open[$0.key]?.name ?? ""): \($0.value)" } ?? "seeing whether they stay up"
        Terminal.live("waiting: \(done) of \(total) done (\(what))")
    }
    func say(_ line: String) {
        Terminal.live("")
        Terminal.print(line)
    }

    for kind in Set(objects.map(\.kind)).sorted().reversed() {
        while open.values.contains(where: { $0.kind == kind }), !failed {
            let left = timeoutMs - (agentos_boot_ms() - start)
            if left <= 0 { return timedOut(open, shown) }
            let list = try session.send("GET", Session.path(kind, namespace: nil))
            let items = list.node?["items"]?.list ?? []
            var found: [String: Node] = [:]
            for item in items {
                found[
                    id(
                        kind, item[path: "metadata", "namespace"]?.string ?? "",
                        item[path: "metadata", "name"]?.string ?? "")] = item
            }
            for key in open.filter({ $0.value.kind == kind }).keys.sorted() { take(key, found[key]) }
            if failed || !open.values.contains(where: { $0.kind == kind }) { break }
            let wasSettling = isSettling
            let settleLeft = settledAt - agentos_boot_ms()
            if wasSettling, settleLeft <= 0 { break }
            let version = list.node?[path: "metadata", "resourceVersion"]?.string ?? "0"
            let response = session.client.stream(
                Client.Request(
                    method: "GET", path: Session.path(kind, namespace: nil),
                    query: [("watch", "true"), ("resourceVersion", version)]),
                timeoutMs: wasSettling ? min(left, settleLeft) : left
            ) { line in
                var diagnostics = Diagnostics()
                guard let event = JSONReader.read(line, file: "", diagnostics: &diagnostics),
                    let object = event["object"]
                else { return true }
                if event["type"]?.string == "ERROR" { return false }
                let key = id(
                    kind, object[path: "metadata", "namespace"]?.string ?? "",
                    object[path: "metadata", "name"]?.string ?? "")
                take(key, event["type"]?.string == "DELETED" ? nil : object)
                return !failed && isSettling == wasSettling && open.values.contains { $0.kind == kind }
            }
            if response.failure == "timeout" {
                if wasSettling, isSettling { break }
                return timedOut(open, shown)
            }
            // The daemon went away or dropped us: list again, after a moment.
            if response.failure != nil { usleep(200_000) }
        }
    }
    Terminal.live("")
    return failed ? .definiteFailure : .success
}

private func timedOut(_ open: [String: Awaited], _ shown: [String: String]) -> ExitCode {
    Terminal.live("")
    for (key, object) in open.sorted(by: { $0.key < $1.key }).prefix(20) {
        Terminal.printError(
            "timed out waiting for \(object.kind.qualifiedSingular)/\(object.name) (\(shown[key] ?? "unknown")); see 'agentos-apply describe \(object.kind.singular) \(object.name) -n \(object.namespace)'"
        )
    }
    return .timeout
}

private func id(_ kind: Kind, _ namespace: String, _ name: String) -> String { "\(kind.rawValue)/\(namespace)/\(name)" }

func waitVerb(_ invocation: Invocation) throws -> ExitCode {
    guard let word = invocation.positionals.first, invocation.positionals.count > 1,
        let condition = invocation.value("for")
    else {
        throw invocation.usage("give --for CONDITION KIND NAME…")
    }
    let kind = try kind(word, invocation)
    let goal: Goal
    switch condition {
    case "deleted", "delete": goal = .deleted
    case "Completed": goal = .completed
    case "Ready", "Scheduled", "Published", "Progressing": goal = .condition(condition)
    default:
        if condition.hasPrefix("phase=") {
            goal = .phase(String(condition.dropFirst(6)))
        } else if condition.hasPrefix("condition=") {
            goal = .condition(String(condition.dropFirst(10)))
        } else {
            throw invocation.usage(
                "--for: expected Ready, Completed, Scheduled, phase=PHASE or deleted; found \"\(condition)\"")
        }
    }
    let namespace = kind.isNamespaced ? invocation.value("namespace") ?? "default" : ""
    let session = try Session(invocation)
    let objects = invocation.positionals.dropFirst().map {
        Awaited(kind: kind, namespace: namespace, name: $0, generation: 0)
    }
    return try awaitAll(
        Array(objects), goal, session, timeoutMs: try invocation.milliseconds("timeout", default: 300_000))
}
