import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// The directories behind the volumes of containers.
///
/// `homes/<uid>/<ordinal>` and `homes/<uid>/volumes/<ordinal>/<name>` are kept until the agent is deleted;
/// `<runs>/<run>/volumes/<name>` goes with the run; what comes from Secrets and ConfigMaps lies in `memory/<run>/<name>`,
/// a file system in memory.
struct Volumes: Sendable {
    struct Problem: Error { var message: String }

    var state: String
    /// Directory of the run directories, below `state`.
    var runs: String
    /// Directories of the machine that manifests may name.
    var hostPaths: [String]

    var memory: String { "\(state)/memory" }

    /// Makes the directories of a run and fills them; the same again changes nothing but the files of objects.
    func prepare(
        _ run: Run, _ context: StartContext, for identity: Accounts.Identity
    ) throws(Problem) -> [OCISpec.Mount] {
        var owner = Ownership(user: identity.user, group: identity.group)
        if let shared = run.spec.fsGroup {
            owner = Ownership(
                user: identity.user, group: shared, isShared: true,
                isAlwaysChecked: run.spec.fsGroupIsAlwaysApplied)
        }
        var mounts: [OCISpec.Mount] = []
        for volume in context.volumes {
            let source: String
            var isReadOnly = volume.isReadOnly
            switch volume.source {
            case .persistent:
                source = try directory(
                    "\(state)/homes/\(run.id.uid.hex)/volumes/\(run.id.ordinal)/\(volume.name)", owner)
            case .emptyDir:
                source = try directory("\(runs)/\(run.id.text)/volumes/\(volume.name)", owner)
            case .hostPath(let path): source = try hostPath(path)
            case .files(let files, let mode):
                source = try write(files, mode: mode, run.id, volume.name, identity)
                isReadOnly = true
            }
            mounts.append(OCISpec.Mount(source: source, destination: volume.path, isReadOnly: isReadOnly))
        }
        return mounts
    }

    /// The replica's own directory, kept over runs.
    func home(_ run: RunID, for identity: Accounts.Identity) throws(Problem) -> String {
        try directory(
            "\(state)/homes/\(run.uid.hex)/\(run.ordinal)",
            Ownership(user: identity.user, group: identity.group))
    }

    /// Writes what a run has in `/etc`.
    func write(_ files: HostFiles, _ run: RunID) throws(Problem) -> [OCISpec.Mount] {
        do throws(Files.Failure) { return try files.write(to: "\(runs)/\(run.text)/etc") } catch {
            throw Problem(message: error.words)
        }
    }

    /// Removes what goes with a run.
    func remove(_ run: RunID) {
        for name in ["volumes", "etc"] { Files.removeTree("\(runs)/\(run.text)/\(name)") }
        Files.removeTree("\(memory)/\(run.text)")
    }

    /// The file system in memory, mounted.
    func makeMemory() throws(Problem) -> String {
        mkdir(memory, 0o711)
        guard agentos_is_in_memory(memory) != 0 || agentos_mount_memory(memory) == 0 else {
            throw Problem(
                message: "cannot mount a file system in memory at \(memory): \(String(cString: strerror(errno)))")
        }
        return memory
    }

    /// Unmounts the file system in memory when nothing is in it any more.
    func removeEmpty() {
        if Files.exists(memory), Files.names(in: memory).isEmpty, agentos_unmount(memory) == 0 { rmdir(memory) }
    }

    /// Why a manifest may not name this path of the machine.
    func refusal(ofHostPath path: String) -> String? {
        if prefix(of: path) != nil { return nil }
        return hostPaths.isEmpty
            ? "directories of the machine are not allowed; the daemon's option --host-path DIRECTORY allows one"
            : "must be below one of \(hostPaths.joined(separator: ", ")), which the daemon's option --host-path allows"
    }

    private func prefix(of path: String) -> String? {
        if path.split(separator: "/").contains("..") { return nil }
        return hostPaths.first { path == $0 || path.hasPrefix($0 == "/" ? "/" : "\($0)/") }
    }

    /// The directory itself, reached without leaving the allowed one through a link.
    private func hostPath(_ path: String) throws(Problem) -> String {
        guard let prefix = prefix(of: path) else {
            throw Problem(message: "hostPath \(path): \(refusal(ofHostPath: path) ?? "")")
        }
        let rest = path.dropFirst(prefix.count).drop { $0 == "/" }
        let fd = agentos_open_beneath(prefix, rest.isEmpty ? "." : String(rest))
        guard fd >= 0 else {
            throw Problem(
                message:
                    "hostPath \(path): \(String(cString: strerror(errno)))\(errno == EXDEV ? ": it leaves \(prefix)" : "")"
            )
        }
        defer { close(fd) }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(fd)", &buffer, buffer.count - 1)
        guard count > 0 else { throw Problem(message: "hostPath \(path) cannot be resolved") }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The directory, made or given to whom it now belongs.
    private func directory(_ path: String, _ owner: Ownership) throws(Problem) -> String {
        var made = state
        do throws(Files.Failure) {
            for part in path.dropFirst(state.count).split(separator: "/") {
                made += "/\(part)"
                if !Files.exists(made) { try Files.makeDirectory(made, mode: made == path ? 0o700 : 0o711) }
            }
            try owner.apply(to: path)
        } catch { throw Problem(message: error.words) }
        return path
    }

    private func write(
        _ files: [String: [UInt8]], mode: Int, _ run: RunID, _ volume: String, _ identity: Accounts.Identity
    ) throws(Problem) -> String {
        let memory = try makeMemory()
        let path = "\(memory)/\(run.text)/\(volume)"
        do throws(Files.Failure) {
            try Files.makeDirectory("\(memory)/\(run.text)", mode: 0o711)
            try Files.makeDirectory(path, mode: 0o755)
            for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
                try Files.replace(
                    "\(path)/\(name)", bytes, mode: mode_t(mode), owner: identity.user, group: identity.group)
            }
        } catch { throw Problem(message: error.words) }
        return path
    }
}
