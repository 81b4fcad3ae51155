package import Manifests
import Planner
import Values

/// The OCI runtime specification of one run: what `containerd` and `runsc` are given.
///
/// Source: the OCI runtime specification 1.0.2, with the defaults that containerd and Docker use.
package struct OCISpec {
    struct Mount: Sendable {
        var source: String
        var destination: String
        var isReadOnly: Bool
    }

    var run: Run
    var hostName: String
    var arguments: [String]
    var environment: [(name: String, value: String)]
    var workingDir: String
    var identity: Accounts.Identity
    var mounts: [Mount]
    var openFiles: Int64
    /// Nil: the runtime is in the run's cgroups already.
    var cgroupsPath: String?
    /// Path of the root file system; relative paths belong to the bundle.
    var root = "rootfs"
    /// A network namespace that is there already; nil makes an empty one, "host" takes the machine's.
    var networkNamespace: String?
    /// Threads that the runtime itself needs beside the agent's, and that count against its limit.
    var pidsHeadroom: Int64 = 0

    var node: Node {
        .map([
            ("ociVersion", "1.0.2"), ("process", process),
            ("root", .map([("path", .text(root)), ("readonly", Node(.bool(run.spec.readOnlyRoot)))])),
            ("hostname", .text(hostName)), ("mounts", .list(systemMounts + ownMounts)),
            ("linux", linux),
        ])
    }

    private var process: Node {
        let dropped = run.spec.droppedCapabilities
        let kept = dropped.contains("ALL") ? [] : Capabilities.defaults.filter { !dropped.contains($0) }
        let names: Node = .list(kept.map { .text("CAP_\($0)") })
        return .map([
            ("terminal", false), ("user", user),
            ("args", .list(arguments.map { .text($0) })),
            ("env", .list(environment.map { .text("\($0.name)=\($0.value)") })), ("cwd", .text(workingDir)),
            (
                "capabilities",
                .map([("bounding", names), ("effective", names), ("permitted", names), ("inheritable", [])])
            ),
            (
                "rlimits",
                [
                    .map([
                        ("type", "RLIMIT_NOFILE"), ("hard", .number(openFiles)), ("soft", .number(openFiles)),
                    ]),
                    .map([("type", "RLIMIT_CORE"), ("hard", 0), ("soft", 0)]),
                ]
            ),
            // Not that of the runtime, which the kernel spares.
            ("noNewPrivileges", true), ("oomScoreAdj", 0),
        ])
    }

    private var user: Node {
        .map([
            ("uid", .number(Int64(identity.user))), ("gid", .number(Int64(identity.group))),
            ("additionalGids", .list(identity.additional.map { .number(Int64($0)) })),
        ])
    }

    private func mount(_ destination: String, _ type: String, _ source: String, _ options: String...) -> Node {
        .map([
            ("destination", .text(destination)), ("type", .text(type)), ("source", .text(source)),
            ("options", .list(options.map { .text($0) })),
        ])
    }

    private var systemMounts: [Node] {
        [
            mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        ]
    }

    private var ownMounts: [Node] {
        mounts.sorted { $0.destination < $1.destination }.map {
            mount($0.destination, "bind", $0.source, "rbind", "nosuid", "nodev", $0.isReadOnly ? "ro" : "rw")
        }
    }

    private var linux: Node {
        var namespaces = ["pid", "ipc", "uts", "mount"].map { Node.map([("type", .text($0))]) }
        switch networkNamespace {
        case nil: namespaces.append(.map([("type", "network")]))
        case "host": break
        case let path?: namespaces.append(.map([("type", "network"), ("path", .text(path))]))
        }
        let masked = [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
        ]
        let readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        return .map([
            ("namespaces", .list(namespaces)), ("cgroupsPath", cgroupsPath.map { .text($0) }), ("resources", resources),
            ("maskedPaths", .list(masked.map { .text($0) })), ("readonlyPaths", .list(readOnly.map { .text($0) })),
            ("seccomp", SystemCalls.profile),
        ])
    }

    /// Microseconds of processor time in each period of 100 ms; nil beyond what can be written.
    private static func quota(_ milli: Int64) -> Int64? {
        let (quota, isTooMuch) = milli.multipliedReportingOverflow(by: 100)
        return isTooMuch ? nil : max(1000, quota)
    }

    /// A limit that no runtime can be told.
    package static func refusal(of limits: AgentSpec.Resources) -> String? {
        guard let milli = limits.limitCpuMilli, quota(milli) == nil else { return nil }
        return "limits.cpu: \(milli / 1000) processors are more than can be counted"
    }

    /// A limit of processes, with what the runtime needs of it: never more than the kernel takes.
    package static func pids(_ limit: Int64, headroom: Int64) -> Int64 {
        min(min(limit, Limits.pidsMax) + min(headroom, Limits.pidsMax), Limits.pidsMax)
    }

    private var resources: Node {
        let limits = run.spec.resources
        return .map([
            (
                "devices",
                [.map([("allow", false), ("access", "rwm")])]
            ),
            (
                "memory",
                limits.limitMemoryBytes.map { .map([("limit", .number($0)), ("swap", .number($0))]) }
            ),
            (
                "cpu",
                limits.limitCpuMilli.flatMap(Self.quota).map {
                    .map([("quota", .number($0)), ("period", 100_000)])
                }
            ),
            (
                "pids",
                limits.limitPids.map { .map([("limit", .number(Self.pids($0, headroom: pidsHeadroom)))]) }
            ),
        ])
    }
}
