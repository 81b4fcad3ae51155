package import Machine
import Values

/// What the machine must have for agents to run well. Each check is a function of what was read.
package enum MachineChecks {
    /// The newest system call without which nothing works: openat2(2).
    private static let kernelMin = (5, 6)

    package static func kernel(release: String) -> Finding {
        let numbers = release.split(separator: ".").prefix(2).compactMap { Int($0.prefix { $0.isNumber }) }
        guard numbers.count == 2 else { return Finding("kernel", .note, "Linux \(release)") }
        if (numbers[0], numbers[1]) < kernelMin {
            return Finding(
                "kernel", .fault, "Linux \(release)", means: "Files are opened by a system call that it does not have.",
                mend: "install Linux \(kernelMin.0).\(kernelMin.1) or newer")
        }
        return Finding("kernel", .fine, "Linux \(release)")
    }

    /// - Parameters:
    ///   - mounts: all that is mounted.
    ///   - own: /proc/self/cgroup.
    ///   - read: the text of a file, nil when it cannot be read.
    package static func cgroups(
        mounts: [Mount], own: String, isRoot: Bool, read: (String) -> String?
    ) -> Finding {
        var available: Set<String> = []
        var versions: Set<String> = []
        let place = own.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
        for mount in mounts {
            if mount.type == "cgroup" {
                let controllers = ["cpu", "memory", "pids"].filter { mount.options.contains($0[...]) }
                if !controllers.isEmpty { versions.insert("1") }
                available.formUnion(controllers)
            } else if mount.type == "cgroup2", let place {
                let file = "\(mount.place)\(place == "/" ? "" : place)/cgroup.controllers"
                let controllers = (read(file) ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
                if !controllers.isEmpty || versions.isEmpty { versions.insert("2") }
                available.formUnion(controllers)
            }
        }
        let version = "version \(versions.sorted().joined(separator: " and "))"
        let missing = ["cpu", "memory", "pids"].filter { !available.contains($0) }
        if versions.isEmpty {
            return Finding(
                "cgroups", .fault, "no cgroups are mounted",
                means: "Limits of cpu, memory and pids are refused, and memory that runs out ends any process.",
                mend: "mount -t cgroup2 none /sys/fs/cgroup")
        }
        if !missing.isEmpty {
            return Finding(
                "cgroups", .risk, "\(version) without \(missing.joined(separator: ", "))",
                means: "Agents with limits of \(missing.joined(separator: ", ")) are refused.",
                mend: isRoot
                    ? "let the service have them (Delegate=yes, as agentos.service does), and the kernel (cgroup_enable=memory)"
                    : "run the daemon as a user service with Delegate=yes, or as root")
        }
        return Finding("cgroups", .fine, "\(version) with cpu, memory and pids")
    }

    private static let openFilesMin: UInt64 = 65_536

    package static func openFiles(hard: UInt64) -> Finding {
        if hard >= openFilesMin {
            return Finding("open files", .fine, hard > 1 << 40 ? "no limit" : "up to \(hard)")
        }
        return Finding(
            "open files", .risk, "up to \(hard)",
            means: "With many agents the daemon runs out of descriptors; each needs some.",
            mend: "LimitNOFILE=524288 in the unit, or 'ulimit -Hn 524288' before the daemon starts")
    }

    private static let processesMin = 32_768

    package static func processes(pidMax: Int?, threadsMax: Int?) -> Finding {
        let least = [pidMax, threadsMax].compactMap(\.self).min() ?? 0
        if least == 0 { return Finding("processes", .note, "their most could not be read") }
        if least >= processesMin { return Finding("processes", .fine, "up to \(least) on the machine") }
        return Finding(
            "processes", .risk, "up to \(least) on the machine",
            means: "Agents that start many processes leave none for the others.",
            mend: "sysctl -w kernel.pid_max=4194304 kernel.threads-max=\(processesMin * 4)")
    }

    private static let watchesMin = 65_536
    private static let watchersMin = 128

    package static func watches(each: Int?, instances: Int?) -> Finding {
        guard let each, let instances else { return Finding("watches", .note, "their most could not be read") }
        let found = "\(each) directories by \(instances) programs of a user"
        if each >= watchesMin, instances >= watchersMin { return Finding("watches", .fine, found) }
        return Finding(
            "watches", .risk, found,
            means: "Changes in directories of Sources are seen at their interval only, not at once.",
            mend: "sysctl -w fs.inotify.max_user_watches=\(watchesMin * 8) fs.inotify.max_user_instances=1024")
    }

    /// Long before this program was written.
    private static let clockMinMs: Int64 = 1_700_000_000_000

    package static func clock(wallMs: Int64, isSynchronised: Bool) -> Finding {
        let time = Timestamp.milliseconds(wallMs)
        if wallMs < clockMinMs {
            return Finding(
                "clock", .fault, time, means: "Certificates are not valid yet, and times of events are wrong.",
                mend: "set the clock (timedatectl set-time) and let it be kept right (systemd-timesyncd, chrony)")
        }
        if !isSynchronised {
            return Finding(
                "clock", .risk, "\(time), kept right by nobody",
                means: "Times of events drift, and tokens and certificates may be refused elsewhere.",
                mend: "timedatectl set-ntp true, or install chrony; a virtual machine may get its time from its host")
        }
        return Finding("clock", .fine, "\(time), synchronised")
    }

    private static let supervisorsNeed = "agentos-supervise"

    package static func supervisor(_ path: String?) -> Finding {
        if let path { return Finding("supervisor", .fine, path) }
        return Finding(
            "supervisor", .fault, "\(supervisorsNeed) is not beside agentos-apply",
            means: "No daemon can start: it is the parent of each agent.",
            mend: "install it in the same directory, or in ../libexec")
    }

    /// - Parameter isThere: filters can be made for this machine.
    package static func filter(isThere: Bool) -> Finding {
        if isThere { return Finding("system calls", .fine, "can be filtered") }
        return Finding(
            "system calls", .fault, "cannot be filtered",
            means: "Agents of the driver process do not start.",
            mend: "use a kernel with CONFIG_SECCOMP_FILTER on a machine that libseccomp knows")
    }

    package static func user(_ uid: UInt32) -> Finding {
        if uid == 0 { return Finding("user", .fine, "root: each agent has a user of its own") }
        return Finding(
            "user", .note, "\(uid)",
            means: "Agents run as this user, and see what it sees; the drivers containerd and gvisor need root.",
            mend: "run the daemon as root for agents that are kept apart")
    }

    package static func runtime(
        _ name: String, version: String?, means meaning: String, mend: String
    ) -> Finding {
        if let version { return Finding(name, .fine, version) }
        return Finding(name, .note, "not there", means: meaning, mend: mend)
    }
}
