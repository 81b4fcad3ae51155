package import Machine
import Values

/// What the place of the daemon's state must be.
package enum PlaceChecks {
    private static let riskBytes: Int64 = 1 << 30
    private static let faultBytes: Int64 = 64 << 20
    private static let riskFiles: Int64 = 10_000

    /// - Parameter freeFiles: 0 where the file system makes as many as there is room for.
    package static func room(_ path: String, freeBytes: Int64, freeFiles: Int64, files: Int64) -> Finding {
        let size = freeBytes >= 1 << 30 ? "\(freeBytes >> 30) GiB" : "\(freeBytes >> 20) MiB"
        let found = "\(size) free at \(path)" + (files > 0 ? ", room for \(freeFiles) files" : "")
        let lacksFiles = files > 0 && freeFiles < riskFiles
        if freeBytes >= riskBytes, !lacksFiles { return Finding("disk", .fine, found) }
        return Finding(
            "disk", freeBytes < faultBytes ? .fault : .risk, found,
            means:
                "On a full disk the daemon refuses every change, and lines that agents write are dropped; agents run on.",
            mend: "make room there, or give the daemon another place (--state-dir)")
    }

    package static func fileSystem(_ path: String, _ mounts: [Mount]) -> Finding {
        guard let mount = Mount.of(path, mounts) else { return Finding("file system", .note, "not known for \(path)") }
        let found = "\(mount.type) at \(mount.place)"
        let another = "give the daemon a place on a local disk (--state-dir)"
        if mount.options.contains("ro") {
            return Finding(
                "file system", .fault, "\(found), read-only", means: "The daemon cannot keep anything there.",
                mend: "mount it for writing, or \(another)")
        }
        switch mount.type {
        case "tmpfs", "ramfs", "rootfs":
            return Finding(
                "file system", .risk, found,
                means: "All state is in memory: a restart of the machine loses what is declared.", mend: another)
        case "overlay", "overlayfs", "aufs":
            return Finding(
                "file system", .risk, found,
                means:
                    "It is the layer of a container: it goes with the container, and may not be written when it says so.",
                mend: "mount a volume there, or \(another)")
        case _
        where mount.type.hasPrefix("nfs") || mount.type.hasPrefix("fuse")
            || ["cifs", "9p", "smb3"].contains(mount.type):
            return Finding(
                "file system", .risk, found,
                means: "Locks and writes hold as far as its server keeps them: a database can be damaged there.",
                mend: another)
        case _ where !mount.options.isDisjoint(with: ["nobarrier", "barrier=0"]):
            return Finding(
                "file system", .risk, "\(found), without barriers",
                means: "A loss of power can lose what was said to be kept.", mend: "mount it without that option")
        default: return Finding("file system", .fine, found)
        }
    }

    /// A directory on the way to the state, from the root on.
    package struct Step: Sendable {
        package var path: String
        package var mode: UInt32
        package var owner: UInt32

        package init(_ path: String, _ mode: UInt32, owner: UInt32) {
            self.path = path
            self.mode = mode
            self.owner = owner
        }
    }

    /// - Parameters:
    ///   - steps: what exists of the way to `state`, from the root on.
    ///   - canWrite: whether this user may write in the last of them.
    package static func directory(_ state: String, _ steps: [Step], user: UInt32, canWrite: Bool) -> Finding {
        guard let last = steps.last else { return Finding("state", .fault, "\(state) leads nowhere") }
        if last.path == state, last.owner != user {
            return Finding(
                "state", .fault, "\(state) belongs to user \(last.owner)",
                means: "Its daemon is that user's; this one's would not keep it to itself.",
                mend: "chown it, use that user, or give another place (--state-dir)")
        }
        if !canWrite {
            return Finding(
                "state", .fault, "\(last.path) may not be written by user \(user)",
                means: "The daemon cannot keep anything there.", mend: "let it write there, or give --state-dir")
        }
        // Users of agents pass through to their homes; the daemon opens its own directory for them itself.
        let closed = steps.filter { $0.path != state && $0.mode & 0o001 == 0 }
        if user == 0, let first = closed.first {
            return Finding(
                "state", .risk, "\(first.path) has mode \(octal(first.mode)), and \(state) lies below it",
                means: "Agents of the driver process that run as other users than root cannot enter their homes.",
                mend: "chmod o+x \(first.path), or give the daemon another place (--state-dir)")
        }
        // Who may write in a directory may put another in the place of what is in it; with the sticky bit only in his own.
        let open = steps.filter { $0.mode & 0o022 != 0 && $0.mode & 0o1000 == 0 }
        if let first = open.first {
            return Finding(
                "state", .risk, "\(first.path) has mode \(octal(first.mode))",
                means: "Others can put something else in the place of the daemon's state.",
                mend: "chmod go-w \(first.path)")
        }
        let what = last.path == state ? "is the daemon's own" : "is made at the first start"
        return Finding("state", .fine, "\(state) \(what)")
    }

    private static func octal(_ mode: UInt32) -> String { "0" + String(mode & 0o7777, radix: 8) }
}
