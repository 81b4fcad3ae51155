import Glibc

/// What the daemons of a world have made outside of its directory, or mounted in it: a test that fails leaves nothing of it.
extension World {
    /// The places below a directory at which something is mounted, the last first.
    package static func mounts(below directory: String) -> [String] {
        read("/proc/self/mounts").split(separator: "\n").reversed().compactMap { line in
            line.split(separator: " ").dropFirst().first.map(String.init)
        }.filter { $0.hasPrefix("\(directory)/") }
    }

    /// The groups that hold those of runs, in all hierarchies: each is named after a store.
    package var groups: [String] {
        let stores = ([state] + World.names(directory).map { "\(directory)/\($0)" }).compactMap { place in
            // The second word beside the database is the store's id.
            World.read("\(place)/store/committed").split(whereSeparator: \.isWhitespace).dropFirst().first
        }
        var places: [String] = []
        for line in World.read("/proc/self/mounts").split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count >= 4, fields[2].hasPrefix("cgroup") else { continue }
            for own in World.read("/proc/self/cgroup").split(separator: "\n") {
                let place = own.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).last ?? "/"
                places += ["\(fields[1])", "\(fields[1])\(place)"]
            }
        }
        return Set(stores).flatMap { store in Set(places).map { "\($0)/agentos-\(store.prefix(12))" } }
            .filter { access("\($0)/cgroup.procs", F_OK) == 0 }.sorted()
    }

    /// Ends what still is in the groups of this world's runs, and removes them.
    func removeGroups() {
        for group in groups {
            let runs = World.names(group).map { "\(group)/\($0)" }.filter { access("\($0)/cgroup.procs", F_OK) == 0 }
            for run in runs {
                _ = World.becomes(within: 2000) {
                    for pid in World.read("\(run)/cgroup.procs").split(separator: "\n").compactMap({ pid_t($0) })
                    where pid > 1 {
                        World.kill(pid, SIGKILL)
                    }
                    return rmdir(run) == 0 || errno == ENOENT
                }
            }
            rmdir(group)
        }
    }
}
