import CLinux
import Manifests
import Values

func statusVerb(_ invocation: Invocation) throws -> ExitCode {
    try show(
        invocation, .agent, names: invocation.positionals, namespace: invocation.value("namespace"), withNamespace: true
    )
}

func getVerb(_ invocation: Invocation) throws -> ExitCode {
    guard let first = invocation.positionals.first else {
        throw invocation.usage("give a KIND: agents, sources, namespaces, secrets, configmaps")
    }
    var names = Array(invocation.positionals.dropFirst())
    var word = first
    // `kind/name`, as `-o name` prints it.
    if let slash = first.firstIndex(of: "/") {
        word = String(first[..<slash])
        names.insert(String(first[first.index(after: slash)...]), at: 0)
    }
    let kind = try kind(word, invocation)
    let isAll = invocation.flag("all-namespaces")
    return try show(
        invocation, kind, names: names, namespace: isAll ? nil : invocation.value("namespace") ?? "default",
        withNamespace: isAll)
}

private func show(_ invocation: Invocation, _ kind: Kind, names: [String], namespace: String?, withNamespace: Bool)
    throws -> ExitCode
{
    let format = try invocation.choice("output", ["table", "wide", "yaml", "json", "name"], default: "table")
    let session = try Session(invocation)
    var query: [(String, String)] = []
    if let selector = invocation.value("selector") { query.append(("labelSelector", selector)) }
    var items: [Node] = []
    var missing: [String] = []
    var version = "0"
    if names.count == 1, let namespace, !invocation.flag("watch") {
        let path = Session.path(kind, namespace: namespace, name: names[0])
        let response = try session.send(
            "GET", path, query: invocation.flag("show-secrets") ? [("showSecrets", "true")] : [])
        items = [response.node].compactMap(\.self)
    } else {
        let list = try session.send("GET", Session.path(kind, namespace: namespace), query: query)
        version = list.node?[path: "metadata", "resourceVersion"]?.string ?? "0"
        items = list.node?["items"]?.list ?? []
        if !names.isEmpty {
            let found = Set(items.compactMap { $0[path: "metadata", "name"]?.string })
            missing = names.filter { !found.contains($0) }
            items = items.filter { names.contains($0[path: "metadata", "name"]?.string ?? "") }
        }
    }
    printItems(items, kind, format, withNamespace: withNamespace, isSingle: names.count == 1)
    for name in missing { Terminal.printError("\(kind.qualifiedResource) \"\(name)\" not found") }
    if invocation.flag("watch") {
        return try follow(session, kind, namespace, query, version, names, format, withNamespace: withNamespace)
    }
    if items.isEmpty, names.isEmpty, format == "table" || format == "wide" {
        Terminal.note(
            namespace.map { kind.isNamespaced ? "No \(kind.resource) in namespace \($0)." : "No \(kind.resource)." }
                ?? "No \(kind.resource).")
    }
    return missing.isEmpty ? .success : .failure
}

private func follow(
    _ session: Session, _ kind: Kind, _ namespace: String?, _ query: [(String, String)], _ version: String,
    _ names: [String],
    _ format: String, withNamespace: Bool
) throws -> ExitCode {
    let watchQuery = query + [("watch", "true"), ("resourceVersion", version)]
    let request = Client.Request(method: "GET", path: Session.path(kind, namespace: namespace), query: watchQuery)
    let response = session.client.stream(request, timeoutMs: nil) { line in
        var diagnostics = Diagnostics()
        guard let event = JSONReader.read(line, file: "", diagnostics: &diagnostics), let object = event["object"]
        else { return true }
        if event["type"]?.string == "ERROR" { return false }
        if !names.isEmpty, !names.contains(object[path: "metadata", "name"]?.string ?? "") { return true }
        printItems([object], kind, format, withNamespace: withNamespace, isSingle: true, withHeader: false)
        return true
    }
    try session.check(response)
    return .success
}

private func printItems(
    _ items: [Node], _ kind: Kind, _ format: String, withNamespace: Bool, isSingle: Bool, withHeader: Bool = true
) {
    switch format {
    case "yaml", "json":
        let node =
            isSingle && items.count == 1
            ? items[0] : .map([("apiVersion", "v1"), ("kind", "List"), ("items", .list(items))])
        Terminal.print(format == "yaml" ? YAMLWriter.text(node) : JSONWriter.text(node, pretty: true))
    case "name":
        for item in items {
            Terminal.print("\(kind.qualifiedSingular)/\(item[path: "metadata", "name"]?.string ?? "")")
        }
    default:
        guard !items.isEmpty else { return }
        let nowMs = agentos_wall_ms()
        let (header, _) = columns(Node.emptyMap, kind, nowMs, isWide: format == "wide")
        let rows = items.map { item in
            (withNamespace && kind.isNamespaced ? [item[path: "metadata", "namespace"]?.string ?? ""] : [])
                + columns(item, kind, nowMs, isWide: format == "wide").cells
        }
        Terminal.print(
            Terminal.table(
                (withNamespace && kind.isNamespaced ? ["NAMESPACE"] : []) + header, rows, withHeader: withHeader))
    }
}

/// A commit as Git shortens it.
private func shortRevision(_ revision: String) -> String {
    guard let at = revision.lastIndex(where: { $0 == "@" || $0 == ":" }) else { return String(revision.prefix(12)) }
    let number = revision[revision.index(after: at)...]
    return number.count > 12 ? "\(revision[...at])\(number.prefix(12))" : revision
}

private func columns(_ item: Node, _ kind: Kind, _ nowMs: Int64, isWide: Bool) -> (header: [String], cells: [String]) {
    let metadata = item["metadata"]
    let name = metadata?["name"]?.string ?? ""
    let age = Terminal.age(metadata?["creationTimestamp"]?.string, nowMs: nowMs)
    let status = item["status"]
    switch kind {
    case .agent:
        var header = ["NAME", "DRIVER", "READY", "PHASE", "RESTARTS", "AGE"]
        var cells = [
            name, item[path: "spec", "driver"]?.string ?? "",
            "\(status?["readyReplicas"]?.int ?? 0)/\(status?["replicas"]?.int ?? 0)",
            status?["phase"]?.string ?? "", String(status?["restarts"]?.int ?? 0), age,
        ]
        if isWide {
            header += ["REVISION", "PIDS", "REASON"]
            let runs = status?["runs"]?.list ?? []
            let ready = (status?["conditions"]?.list ?? []).first { $0["type"]?.string == "Ready" }
            cells += [
                String(status?["revision"]?.int ?? 0),
                runs.compactMap { $0["pid"]?.int }.map { String($0) }.joined(separator: ","),
                ready?["message"]?.string ?? "",
            ]
        }
        return (header, cells)
    case .source:
        var header = [
            "NAME", "REVISION", "STATE", "DECLARED", "APPLIED", "PRUNED", "DRIFTED", "FAILED", "SYNCED", "AGE",
        ]
        func count(_ field: String) -> String { String(status?[field]?.int ?? 0) }
        var cells = [
            name, shortRevision(status?["revision"]?.string ?? ""), status?["phase"]?.string ?? "", count("declared"),
            count("applied"), count("pruned"), count("drifted"), count("failed"),
            Terminal.age(status?["lastSyncTime"]?.string, nowMs: nowMs), age,
        ]
        if isWide {
            header.append("REASON")
            let ready = (status?["conditions"]?.list ?? []).first { $0["type"]?.string == "Ready" }
            cells.append(ready?["message"]?.string?.split(separator: "\n").first.map(String.init) ?? "")
        }
        return (header, cells)
    case .namespace: return (["NAME", "PHASE", "AGE"], [name, status?["phase"]?.string ?? "", age])
    case .secret:
        return (
            ["NAME", "TYPE", "DATA", "AGE"],
            [name, item["type"]?.string ?? "", String(item["data"]?.map?.entries.count ?? 0), age]
        )
    case .configMap: return (["NAME", "DATA", "AGE"], [name, String(item["data"]?.map?.entries.count ?? 0), age])
    }
}

private func conditionTable(_ status: Node, _ nowMs: Int64) -> String {
    let rows = (status["conditions"]?.list ?? []).map { condition in
        [
            condition["type"]?.string ?? "", condition["status"]?.string ?? "", condition["reason"]?.string ?? "",
            Terminal.age(condition["lastTransitionTime"]?.string, nowMs: nowMs),
            condition["message"]?.string?.split(whereSeparator: \.isNewline).first.map(String.init) ?? "",
        ]
    }
    return "\nConditions:\n" + indent(Terminal.table(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows))
}

func describeVerb(_ invocation: Invocation) throws -> ExitCode {
    guard invocation.positionals.count == 2 else { throw invocation.usage("give KIND NAME") }
    let kind = try kind(invocation.positionals[0], invocation)
    let namespace = kind.isNamespaced ? invocation.value("namespace") ?? "default" : ""
    let session = try Session(invocation)
    let path = Session.path(kind, namespace: namespace, name: invocation.positionals[1])
    guard let node = try session.send("GET", path).node else { return .failure }
    let nowMs = agentos_wall_ms()
    var out = ""
    func line(_ name: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        out += "\(name):\(String(repeating: " ", count: max(1, 14 - name.count)))\(value)\n"
    }
    func pairs(_ node: Node?) -> String {
        (node?.map?.entries ?? []).map { "\($0.key)=\($0.value.string ?? "")" }.joined(separator: ", ")
    }
    let metadata = node["metadata"]
    line("Name", metadata?["name"]?.string)
    line("Namespace", metadata?["namespace"]?.string)
    line("Labels", pairs(metadata?["labels"]))
    line("Annotations", pairs(metadata?["annotations"]))
    line("UID", metadata?["uid"]?.string)
    line("Generation", metadata?["generation"]?.int.map { String($0) })
    line("Age", Terminal.age(metadata?["creationTimestamp"]?.string, nowMs: nowMs))
    line("Deleting", metadata?["deletionTimestamp"]?.string)
    if let status = node["status"], kind == .agent {
        line("Driver", node[path: "spec", "driver"]?.string)
        line(
            "Command",
            ((node[path: "spec", "command"]?.list ?? []) + (node[path: "spec", "args"]?.list ?? [])).compactMap(
                \.string
            ).joined(separator: " ").split(separator: "\n").first.map(String.init))
        line("Phase", status["phase"]?.string.map { Terminal.colored($0, phase: $0) })
        line("Replicas", "\(status["readyReplicas"]?.int ?? 0) of \(status["replicas"]?.int ?? 0) ready")
        out += conditionTable(status, nowMs)
        out +=
            "\nRuns:\n"
            + indent(
                Terminal.table(
                    ["ORDINAL", "PHASE", "PID", "RESTARTS", "READY", "LAST EXIT"],
                    (status["runs"]?.list ?? []).map { run in
                        let exit = run["lastExit"]
                        let how = exit?["code"]?.int.map { "code \($0)" } ?? exit?["signal"]?.string
                        let words =
                            exit == nil
                            ? "-"
                            : [exit?["reason"]?.string, how, exit?["message"]?.string].compactMap(\.self).joined(
                                separator: ", ")
                        return [
                            String(run["ordinal"]?.int ?? 0), run["phase"]?.string ?? "",
                            run["pid"]?.int.map { String($0) } ?? "-",
                            String(run["restarts"]?.int ?? 0),
                            run["readyAt"] == nil ? "-" : Terminal.age(run["readyAt"]?.string, nowMs: nowMs), words,
                        ]
                    }))
        let events = try session.send("GET", "\(path)/events").node?["items"]?.list ?? []
        out +=
            "\nEvents:\n"
            + indent(Terminal.table(["AGE", "TYPE", "RUN", "REASON"], events.suffix(20).map { eventRow($0, nowMs) }))
    } else if let status = node["status"], kind == .source {
        line("Path", node[path: "spec", "path"]?.string)
        line("Git", node[path: "spec", "git", "url"]?.string)
        line("Branch", node[path: "spec", "git", "branch"]?.string)
        line("State", status["phase"]?.string.map { Terminal.colored($0, phase: $0) })
        line("Revision", status["revision"]?.string)
        line("Last sync", status["lastSyncTime"]?.string.map { "\(Terminal.age($0, nowMs: nowMs)) ago" })
        func count(_ field: String) -> String { String(status[field]?.int ?? 0) }
        line(
            "Objects",
            "\(count("declared")) declared, \(count("applied")) applied and \(count("pruned")) pruned by the last sync, "
                + "\(count("drifted")) drifted, \(count("failed")) failed")
        let errors = (status["errors"]?.list ?? []).compactMap(\.string)
        if !errors.isEmpty { out += "\nErrors:\n" + indent(errors.joined(separator: "\n")) }
        for item in (status["driftedObjects"]?.list ?? []).compactMap(\.string) { line("Drifted", item) }
        out += conditionTable(status, nowMs)
        let events = try session.send("GET", "\(path)/events").node?["items"]?.list ?? []
        out +=
            "\nEvents:\n"
            + indent(Terminal.table(["AGE", "TYPE", "RUN", "REASON"], events.suffix(20).map { eventRow($0, nowMs) }))
    } else {
        line("Phase", node[path: "status", "phase"]?.string)
        line(
            "Data",
            (node["data"]?.map?.entries ?? []).map { "\($0.key): \($0.value.string?.utf8.count ?? 0) bytes" }.joined(
                separator: ", "))
    }
    Terminal.print(out)
    return .success
}

private func indent(_ text: String) -> String {
    text.split(separator: "\n").map { "  \($0)\n" }.joined()
}

private func eventRow(_ event: Node, _ nowMs: Int64) -> [String] {
    let run = event["run_id"]?.string.map { id in
        let parts = id.split(separator: "-")
        return parts.count == 3 ? "\(Int(parts[1]) ?? 0)/\(Int(parts[2]) ?? 0)" : id
    }
    let data = event["data"]
    let code = data?["exitCode"]?.int.map { "code \($0)" } ?? data?["signal"]?.string
    let restarts = data?["restarts"]?.list.map { "restarts: \($0.compactMap(\.string).joined(separator: ", "))" }
    return [
        Terminal.age(event["occurred_at"]?.string, nowMs: nowMs), event["event_type"]?.string ?? "", run ?? "-",
        [data?["reason"]?.string, code, data?["message"]?.string, restarts].compactMap(\.self).joined(separator: ", "),
    ]
}

/// A line of a table that grows: its widths cannot be known before.
private func eventLine(_ cells: [String]) -> String {
    var line = ""
    for (cell, width) in zip(cells, [8, 24, 17, 24, 5, 0]) {
        line += cell + String(repeating: " ", count: max(0, width - cell.count)) + (width > 0 ? "  " : "")
    }
    return line
}

private func objectName(_ object: Node?) -> String {
    let namespace = object?["namespace"]?.string ?? ""
    return (namespace.isEmpty ? "" : "\(namespace)/") + (object?["name"]?.string ?? "")
}

func eventsVerb(_ invocation: Invocation) throws -> ExitCode {
    let format = try invocation.choice("output", ["table", "wide", "json"], default: "table")
    let session = try Session(invocation)
    var query: [(String, String)] = []
    if invocation.flag("follow") { query.append(("follow", "true")) }
    if let position = try invocation.integer("since-position", 0...Int.max) {
        query.append(("sincePosition", String(position)))
    }
    if let namespace = invocation.value("namespace") { query.append(("namespace", namespace)) }
    let consumer = invocation.value("consumer")
    if let consumer { query.append(("consumer", consumer)) }
    if invocation.flag("remove") {
        guard let consumer else { throw invocation.usage("--remove needs --consumer NAME") }
        _ = try session.send("DELETE", "/apis/agentos.dev/v1/consumers/\(Percent.encode(consumer))")
        Terminal.print("consumer \"\(consumer)\" removed")
        return .success
    }
    if invocation.flag("ack"), consumer == nil { throw invocation.usage("--ack needs --consumer NAME") }
    var last: (position: Int, offset: Int)?
    var hasHeader = false
    let response = session.client.stream(
        Client.Request(method: "GET", path: "/apis/agentos.dev/v1/eventlog", query: query), timeoutMs: nil
    ) { line in
        var diagnostics = Diagnostics()
        guard let entry = JSONReader.read(line, file: "", diagnostics: &diagnostics), let event = entry["event"] else {
            return true
        }
        last = (event["position"]?.int ?? 0, entry["offset"]?.int ?? 0)
        if format == "json" {
            Terminal.print(JSONWriter.text(event))
        } else {
            if !hasHeader {
                Terminal.print(eventLine(["POSITION", "TIME", "TYPE", "OBJECT", "RUN", "REASON"]))
                hasHeader = true
            }
            let row = eventRow(event, agentos_wall_ms())
            Terminal.print(
                eventLine([
                    String(event["position"]?.int ?? 0), event["occurred_at"]?.string ?? "", row[1],
                    objectName(event["object"]), row[2], row[3],
                ]))
        }
        return true
    }
    try session.check(response)
    if invocation.flag("ack"), let consumer, let last {
        _ = try session.send(
            "POST", "/apis/agentos.dev/v1/consumers/\(Percent.encode(consumer))",
            query: [("position", String(last.position)), ("offset", String(last.offset))], body: [])
    }
    return .success
}

func logsVerb(_ invocation: Invocation) throws -> ExitCode {
    guard invocation.positionals.count == 1 else { throw invocation.usage("give one AGENT") }
    let session = try Session(invocation)
    var query: [(String, String)] = []
    for (flag, name) in [("follow", "follow"), ("previous", "previous"), ("timestamps", "timestamps")]
    where invocation.flag(flag) {
        query.append((name, "true"))
    }
    if let tail = try invocation.integer("tail", 0...10_000_000) { query.append(("tailLines", String(tail))) }
    if let ordinal = try invocation.integer("replica", 0...Limits.replicasMax) {
        query.append(("ordinal", String(ordinal)))
    }
    let path = Session.path(
        .agent, namespace: invocation.value("namespace") ?? "default", name: invocation.positionals[0])
    let response = session.client.stream(
        Client.Request(method: "GET", path: "\(path)/log", query: query), timeoutMs: nil
    ) { line in
        Terminal.print(String(decoding: line, as: UTF8.self) + "\n")
        return true
    }
    try session.check(response)
    return .success
}
