import CLinux
import Drivers
import Glibc
import Machine
import Values

/// Looks at this machine as a daemon with these settings would find it. Needs no daemon.
struct Diagnosis {
    let settings: Settings
    let paths: Paths
    private let isRoot = getuid() == 0
    private let supervisor = try? Assembly.supervisorPath()

    var findings: [Finding] {
        let mounts = Mount.all
        let steps = steps
        let place = steps.last?.path ?? "/"
        return [
            MachineChecks.kernel(release: Self.release), MachineChecks.user(getuid()),
            MachineChecks.supervisor(supervisor), MachineChecks.filter(isThere: hasFilter),
            MachineChecks.cgroups(
                mounts: mounts, own: Files.text("/proc/self/cgroup") ?? "",
                isRoot: isRoot, read: { Files.text($0) }),
            MachineChecks.openFiles(hard: openFiles),
            MachineChecks.processes(
                pidMax: number("/proc/sys/kernel/pid_max"), threadsMax: number("/proc/sys/kernel/threads-max")),
            MachineChecks.watches(
                each: number("/proc/sys/fs/inotify/max_user_watches"),
                instances: number("/proc/sys/fs/inotify/max_user_instances")),
            MachineChecks.clock(wallMs: agentos_wall_ms(), isSynchronised: agentos_clock_is_kept() != 0),
            PlaceChecks.directory(paths.state, steps, user: getuid(), canWrite: access(place, W_OK) == 0),
            PlaceChecks.fileSystem(place, mounts), room(place),
        ] + runtimes + daemon
    }

    // MARK: Parts

    private static var release: String { (Files.text("/proc/sys/kernel/osrelease") ?? "").trimmed }

    private var hasFilter: Bool {
        if case .missing = SystemCallFilter.ofThisMachine() { return false }
        return true
    }

    private var openFiles: UInt64 {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        return UInt64(limit.rlim_max)
    }

    private func number(_ path: String) -> Int? { Files.text(path).flatMap { Int($0.trimmed) } }

    private func room(_ place: String) -> Finding {
        var status = statvfs()
        guard statvfs(place, &status) == 0 else {
            return Finding("disk", .note, "\(place): \(String(cString: strerror(errno)))")
        }
        let blocks = Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).0)
        return PlaceChecks.room(
            place, freeBytes: blocks, freeFiles: Int64(clamping: UInt64(status.f_favail)),
            files: Int64(clamping: UInt64(status.f_files)))
    }

    /// What exists of the way to the state directory.
    private var steps: [PlaceChecks.Step] {
        var found: [PlaceChecks.Step] = []
        var path = ""
        for part in [""] + paths.state.split(separator: "/").map(String.init) {
            path = path == "/" ? "/\(part)" : "\(path)/\(part)"
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { break }
            found.append(PlaceChecks.Step(path, UInt32(status.st_mode), owner: UInt32(status.st_uid)))
        }
        return found
    }

    private var runtimes: [Finding] {
        let images = "Agents of the driver containerd are refused; the driver process needs none of it."
        let install = "apt-get install containerd runc, then restart the daemon"
        let containerd = ContainerRuntimes.program("containerd")
        let isServed = access(settings.containerdSocket, F_OK) == 0
        var findings = [
            MachineChecks.runtime(
                "containerd", version: isServed ? version(containerd) ?? settings.containerdSocket : nil, means: images,
                mend: containerd == nil
                    ? install : "start it, or give its socket (--containerd-socket), then restart the daemon"),
            MachineChecks.runtime(
                "runc", version: version(ContainerRuntimes.program("runc")), means: images, mend: install),
        ]
        let runsc = settings.runsc ?? ContainerRuntimes.program("runsc")
        findings.append(
            MachineChecks.runtime(
                "runsc", version: version(runsc), means: "Agents of the driver gvisor are refused.",
                mend: "install gVisor's runsc or give --runsc PATH, then restart the daemon"))
        return findings
    }

    private static let versionMs: Int64 = 5000

    /// The first line of what a program says of its version; nil: it is not there, or does not say.
    private func version(_ program: String?) -> String? {
        guard let program, let supervisor, access(program, X_OK) == 0 else { return nil }
        let events = EventLoop()
        var line: String?
        ChildProgram.run(
            [program, "--version"], environment: ["PATH=/usr/local/bin:/usr/bin:/bin"], timeoutMs: Self.versionMs,
            supervisor: supervisor, events: events
        ) { result in
            line = result.text.split(separator: "\n").first.map { String($0.prefix(200)) }
            events.stop()
        }
        events.run()
        return line
    }

    private var daemon: [Finding] {
        let log = "look into its log (daemon.log in the state directory, or journalctl -u agentos)"
        let session = Session(paths)
        switch session.presence {
        case .alive: return [Finding("daemon", .fine, "serves \(paths.socket)")] + sinks(session, log)
        case .absent:
            return [
                Finding(
                    "daemon", .note, "none serves \(paths.socket)",
                    means: "Agents run on without one, and are not restarted.", mend: "agentos-apply daemon start")
            ]
        case .unusable(let problem):
            return [
                Finding(
                    "daemon", .fault, problem.message, means: "It can neither be used nor replaced.", mend: log)
            ]
        }
    }

    private func sinks(_ session: Session, _ log: String) -> [Finding] {
        do {
            return try session.sinkProblems().map { line in
                Finding(
                    "sinks", .risk, line,
                    means:
                        "Who reads events there is behind; no agent becomes Ready of whom a required sink does not know.",
                    mend: "agentos-apply outbox sinks, and outbox list --sink NAME")
            }
        } catch {
            return [Finding("sinks", .risk, "the daemon does not say how they are: \(error)", mend: log)]
        }
    }
}

extension String {
    fileprivate var trimmed: String { String(split(whereSeparator: \.isWhitespace).first ?? "") }
}
