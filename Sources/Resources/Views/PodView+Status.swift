import Manifests
import Planner
import Values

extension PodView {
    /// The status of a replica in the words that Kubernetes has for Pods.
    static func status(_ agent: Node, _ run: Node) -> Node {
        let phase = run["phase"]?.string.flatMap(AgentPhase.init) ?? .created
        let isUp = run["pid"] != nil || phase == .ready
        let isReady = phase == .ready
        let began = time(run["startedAt"]) ?? agent[path: "metadata", "creationTimestamp"]
        let since = isReady ? time(run["readyAt"]) ?? began : began
        return .map([
            ("phase", .text(podPhase(phase, isUp: isUp, agent, run))),
            ("reason", phase == .stopped ? "Stopped" : nil),
            (
                "conditions",
                [
                    condition("Initialized", true, began), condition("Ready", isReady, since),
                    condition("ContainersReady", isReady, since),
                    condition("PodScheduled", phase != .created, began),
                ]
            ),
            ("podIP", run["address"]), ("podIPs", run["address"].map { [.map([("ip", $0)])] }),
            ("startTime", began), ("qosClass", "Burstable"),
            ("observedGeneration", agent[path: "status", "observedGeneration"]),
            ("containerStatuses", [container(agent, run, phase, isUp: isUp)]),
        ])
    }

    private static func podPhase(_ phase: AgentPhase, isUp: Bool, _ agent: Node, _ run: Node) -> String {
        switch phase {
        case .created, .scheduled: return "Pending"
        case .starting: return isUp ? "Running" : "Pending"
        case .ready, .stopping, .backingOff: return "Running"
        case .failed: return agent[path: "spec", "restartPolicy"]?.string == "Never" ? "Failed" : "Running"
        case .completed, .stopped, .suspended: return "Succeeded"
        }
    }

    private static func condition(_ type: String, _ holds: Bool, _ since: Node?) -> Node {
        .map([
            ("type", .text(type)), ("status", holds ? "True" : "False"), ("lastProbeTime", Node(.null)),
            ("lastTransitionTime", since),
            ("reason", holds ? nil : .text(type == "PodScheduled" ? "Unschedulable" : "ContainersNotReady")),
            ("message", holds ? nil : .text("containers with unready status: [\(container)]")),
        ])
    }

    private static func container(_ agent: Node, _ run: Node, _ phase: AgentPhase, isUp: Bool) -> Node {
        let last = run["lastExit"].map { terminated($0, run) }
        var (state, showsLast): (Node, Bool)
        switch phase {
        case .created, .scheduled: (state, showsLast) = (waiting("ContainerCreating", nil), true)
        case .starting where !isUp: (state, showsLast) = (waiting("ContainerCreating", nil), true)
        case .starting, .ready, .stopping, .suspended: (state, showsLast) = (running(run), true)
        case .backingOff:
            let next = run["nextRetryAt"]?.string ?? ""
            (state, showsLast) = (waiting("CrashLoopBackOff", "the next attempt is at \(next)"), true)
        case .failed, .completed, .stopped: (state, showsLast) = (last ?? stopped(run), false)
        }
        return .map([
            ("name", .text(container)), ("ready", Node(.bool(phase == .ready))), ("started", Node(.bool(isUp))),
            ("restartCount", run["restarts"] ?? 0),
            ("image", agent[path: "spec", "image"] ?? agent[path: "spec", "driver"]),
            ("imageID", run["imageDigest"] ?? ""),
            ("containerID", (run["id"]?.string).map { .text("agentos://\($0)") }), ("state", state),
            ("lastState", showsLast ? last ?? .emptyMap : .emptyMap),
        ])
    }

    private static func waiting(_ reason: String, _ message: String?) -> Node {
        .map([("waiting", .map([("reason", .text(reason)), ("message", message.map(Node.text))]))])
    }

    private static func running(_ run: Node) -> Node {
        .map([("running", .map([("startedAt", time(run["startedAt"]))]))])
    }

    private static func stopped(_ run: Node) -> Node {
        .map([("terminated", .map([("exitCode", 0), ("reason", "Stopped"), ("startedAt", time(run["startedAt"]))]))])
    }

    private static func terminated(_ exit: Node, _ run: Node) -> Node {
        let signal = exit["signal"]?.string.flatMap { Signals.number(of: $0) }.map { Int($0) }
        // What has no code of its own counts as killed, as in a shell.
        let code = exit["code"]?.int ?? signal.map { 128 + $0 } ?? (exit["reason"]?.string == "Completed" ? 0 : 255)
        return .map([
            (
                "terminated",
                .map([
                    ("exitCode", .number(code)), ("signal", signal.map { .number($0) }), ("reason", exit["reason"]),
                    ("message", exit["message"]), ("finishedAt", time(exit["at"])),
                    ("containerID", (run["id"]?.string).map { .text("agentos://\($0)") }),
                ])
            )
        ])
    }

    // MARK: Columns

    static let columns: [Column] = [
        .name,
        Column("READY", text: "Containers that are ready, of those that there are.") { pod in
            let statuses = pod[path: "status", "containerStatuses"]?.list ?? []
            return .text("\(statuses.count { $0["ready"]?.bool == true })/\(statuses.count)")
        },
        Column("STATUS", text: "Where the replica stands.") { .text(word($0)) },
        Column("RESTARTS", text: "Runs that followed another one.") { pod in
            .text(
                String(
                    (pod[path: "status", "containerStatuses"]?.list ?? []).reduce(0) {
                        $0 + ($1["restartCount"]?.int ?? 0)
                    }))
        },
        .age,
        Column("IP", text: "Its own address.", isWide: true) { .text($0[path: "status", "podIP"]?.string ?? "<none>") },
        Column("NODE", text: "The machine that it runs on.", isWide: true) {
            .text($0[path: "spec", "nodeName"]?.string ?? "<none>")
        },
    ]

    /// As kubectl would make it of the status.
    private static func word(_ pod: Node) -> String {
        if pod[path: "metadata", "deletionTimestamp"] != nil { return "Terminating" }
        let state = pod[path: "status", "containerStatuses"]?.list?.first?["state"]
        return state?[path: "waiting", "reason"]?.string ?? state?[path: "terminated", "reason"]?.string
            ?? pod[path: "status", "reason"]?.string ?? pod[path: "status", "phase"]?.string ?? "Unknown"
    }
}
