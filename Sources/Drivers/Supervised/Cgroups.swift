import Glibc
import Machine
import Manifests
import Planner
import Values

/// The cgroups that this daemon can make: below its own place in each hierarchy, version 1, 2 or both.
struct Cgroups: Sendable {
    private struct Place: Sendable {
        var path: String
        var isUnified: Bool
    }

    /// By controller; the unified hierarchy is here under "" when it can end a tree at once.
    private var places: [String: Place] = [:]
    private let leaf: String

    /// Looks at what is mounted and may be written.
    ///
    /// - Parameter below: the group, a path from the root of the unified hierarchy, that is ours to divide; nil, or not
    ///   there: the daemon's own.
    init(storeID: String, below given: String? = nil) {
        leaf = "agentos-\(storeID.prefix(12))"
        var own: [String: String] = [:]
        for line in (Files.text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for controller in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                own[String(controller)] = String(parts[2])
            }
        }
        for mount in Mount.all {
            if mount.type == "cgroup2", let place = own[""] {
                let group = given.map { Self.join(mount.place, $0) }.flatMap { Files.exists($0) ? $0 : nil }
                addUnified(group ?? Self.join(mount.place, place), isOurs: group != nil)
            } else if mount.type == "cgroup" {
                for controller in ["memory", "cpu", "pids"] where mount.options.contains(controller[...]) {
                    guard let place = own[controller] else { continue }
                    add(controller, Place(path: "\(Self.join(mount.place, place))/\(leaf)", isUnified: false))
                }
            }
        }
    }

    private static func join(_ mount: String, _ place: String) -> String { place == "/" ? mount : mount + place }

    private mutating func add(_ controller: String, _ place: Place) {
        guard mkdir(place.path, 0o755) == 0 || errno == EEXIST, access(place.path, W_OK) == 0 else { return }
        places[controller] = place
    }

    /// - Parameter isOurs: whatever process is in it may be moved.
    private mutating func addUnified(_ base: String, isOurs: Bool) {
        let available = Set(
            (Files.text("\(base)/cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
        let place = Place(path: "\(base)/\(leaf)", isUnified: true)
        let wanted = ["memory", "cpu", "pids"].filter(available.contains)
        if !wanted.isEmpty {
            // A group with processes cannot give controllers to its children: who is in it moves into a leaf of its own.
            let daemon = "\(base)/agentos-daemon"
            let enable = wanted.map { "+\($0)" }.joined(separator: " ")
            if (try? Files.write("\(base)/cgroup.subtree_control", enable)) == nil {
                mkdir(daemon, 0o755)
                // Refused: the controllers stay unavailable, and limits are refused at apply.
                let inside = (Files.text("\(base)/cgroup.procs") ?? "").split(separator: "\n").map(String.init)
                // Our own process alone, where others are there for reasons of their own.
                for pid in isOurs ? inside : [String(getpid())] {
                    // Refused for one that has ended meanwhile.
                    try? Files.write("\(daemon)/cgroup.procs", pid)
                }
                try? Files.write("\(base)/cgroup.subtree_control", enable)
            }
        }
        add("", place)
        guard places[""] != nil else { return }
        let given = Set(
            (Files.text("\(base)/cgroup.subtree_control") ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
        let usable = wanted.filter(given.contains)
        if !usable.isEmpty {
            try? Files.write("\(place.path)/cgroup.subtree_control", usable.map { "+\($0)" }.joined(separator: " "))
        }
        for controller in usable { places[controller] = place }
    }

    /// A whole group can be frozen: only version 2 freezes so that it can be killed all the same.
    var canFreeze: Bool { places[""] != nil }

    /// False where there is nothing to freeze by.
    static func freeze(_ directories: [String], _ isFrozen: Bool) -> Bool {
        directories.contains { (try? Files.write("\($0)/cgroup.freeze", isFrozen ? "1" : "0")) != nil }
    }

    static func isFrozen(_ directories: [String]) -> Bool {
        directories.contains { Files.text("\($0)/cgroup.freeze")?.first == "1" }
    }

    /// Limits that cannot be set here, with the reason.
    func refusals(_ resources: AgentSpec.Resources) -> [(field: String, message: String)] {
        var result: [(field: String, message: String)] = []
        let asked: [(String, Bool)] = [
            ("cpu", resources.limitCpuMilli != nil), ("memory", resources.limitMemoryBytes != nil),
            ("pids", resources.limitPids != nil),
        ]
        for (controller, isAsked) in asked where isAsked && places[controller] == nil {
            result.append(
                (
                    "spec.resources.limits.\(controller)",
                    "the driver process cannot set this here: the cgroup controller \(controller) is not available to this user; "
                        + "run the daemon as root or give it a delegated cgroup"
                ))
        }
        return result
    }

    /// Makes the groups of one run and sets its limits.
    ///
    /// - Returns: their directories, for the supervisor to join.
    func make(_ run: RunID, _ resources: AgentSpec.Resources) throws(LaunchProblem) -> [String] {
        var wanted: [String] = []
        if places[""] != nil { wanted.append("") }
        if resources.limitMemoryBytes != nil { wanted.append("memory") }
        if resources.limitCpuMilli != nil { wanted.append("cpu") }
        if resources.limitPids != nil { wanted.append("pids") }
        var directories: [String] = []
        for controller in wanted {
            guard let place = places[controller] else { continue }
            let directory = "\(place.path)/\(run.text)"
            do throws(Files.Failure) {
                if !directories.contains(directory) { try Files.makeDirectory(directory, mode: 0o755) }
            } catch { throw .retry(error.words) }
            if !directories.contains(directory) { directories.append(directory) }
            for (file, value, isRequired) in try settings(controller, place.isUnified, resources) {
                do throws(Files.Failure) { try Files.write("\(directory)/\(file)", value) } catch {
                    if !isRequired { continue }
                    // A value that the kernel does not take today it does not take tomorrow.
                    guard error.code == EINVAL || error.code == ERANGE else { throw .retry(error.words) }
                    throw .refused(.startError, "the limit of \(controller) cannot be set: \(error.words)")
                }
            }
        }
        return directories
    }

    /// The files that set a controller's limit.
    private func settings(
        _ controller: String, _ isUnified: Bool, _ resources: AgentSpec.Resources
    ) throws(LaunchProblem) -> [(file: String, value: String, isRequired: Bool)] {
        if controller == "memory", let bytes = resources.limitMemoryBytes {
            // Without its second file, swap makes a memory limit soft. Absent where swap is not accounted.
            return isUnified
                ? [("memory.max", String(bytes), true), ("memory.swap.max", "0", false)]
                : [
                    ("memory.limit_in_bytes", String(bytes), true),
                    ("memory.memsw.limit_in_bytes", String(bytes), false),
                ]
        }
        if controller == "cpu", let milli = resources.limitCpuMilli {
            let (quota, overflows) = milli.multipliedReportingOverflow(by: 100)
            if overflows {
                throw .refused(.startError, "the limit of \(milli) thousandths of a cpu is more than can be set")
            }
            let least = String(max(1000, quota))
            return isUnified
                ? [("cpu.max", "\(least) 100000", true)]
                : [("cpu.cfs_period_us", "100000", true), ("cpu.cfs_quota_us", least, true)]
        }
        if controller == "pids", let pids = resources.limitPids { return [("pids.max", String(pids), true)] }
        return []
    }

    /// Removes groups that have no processes any more; those in which some are left are ended again.
    ///
    /// - Returns: what is still there, for another try.
    static func remove(_ directories: [String]) -> [String] {
        directories.filter { directory in
            if rmdir(directory) == 0 || errno == ENOENT { return false }
            end(directory)
            return rmdir(directory) != 0 && errno != ENOENT
        }
    }

    static func end(_ directory: String) {
        if (try? Files.write("\(directory)/cgroup.kill", "1")) != nil { return }
        for line in (Files.text("\(directory)/cgroup.procs") ?? "").split(separator: "\n") {
            // A process of another pid namespace is listed as 0, which would mean our own group.
            if let pid = Int32(line), pid > 1 { kill(pid, SIGKILL) }
        }
    }

    /// Where the groups of a run may be, for the case that nobody recorded them.
    func places(of run: RunID) -> [String] { Set(places.values.map { "\($0.path)/\(run.text)" }).sorted() }

    /// Removes our own parent groups; fails quietly while runs are in them.
    func removeParents() { for place in places.values { rmdir(place.path) } }
}
