import Glibc

/// Where the memory controller is mounted: version 1, or the unified hierarchy.
package struct CgroupMounts: Sendable {
    private var mount: String?
    private var isUnified = false

    package static let memory = CgroupMounts()

    private init() {
        for found in Mount.all {
            if found.type == "cgroup", found.options.contains("memory") {
                (mount, isUnified) = (found.place, false)
            } else if found.type == "cgroup2", mount == nil {
                (mount, isUnified) = (found.place, true)
            }
        }
    }

    /// Removes a group, a path from the root, in each hierarchy where nothing is in it.
    package static func removeEmpty(_ group: String) {
        for found in Mount.all where found.type == "cgroup" || found.type == "cgroup2" {
            rmdir("\(found.place)\(group)")
        }
    }

    /// How often the kernel has killed something in this group, a path from the root of the hierarchy, for want of memory.
    package func oomKills(_ group: String) -> Int {
        guard let mount else { return 0 }
        let text = Files.text("\(mount)\(group)/\(isUnified ? "memory.events" : "memory.oom_control")") ?? ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill" { return Int(words[1]) ?? 0 }
        }
        return 0
    }

    /// The memory of this group, a directory of some hierarchy, is counted.
    package static func countsMemory(_ directory: String) -> Bool {
        Files.exists("\(directory)/memory.events") || Files.exists("\(directory)/memory.oom_control")
    }
}
