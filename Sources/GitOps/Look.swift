import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// One look at the directory of a Source, or at its clone: all that touches files that strangers own. Done on a thread that
/// may be given up, so it works on copies.
struct Look: Sendable {
    enum Place: Sendable {
        case directory(String, AllowedPaths)
        case clone(GitClone.Tree, SourceSpec.Git, GitClone.Checkout)
    }

    /// A look that is under way.
    enum State {
        /// `again`: something has changed since it began.
        case running(again: Bool)
        /// It does not come back; another is made when it does.
        case stuck
    }

    /// What a look has found.
    struct Found: Sendable {
        /// As it is after the reading.
        var reader: DirectoryReader
        /// Nil while Git, or the writer of a file, works on it: it is read again.
        var snapshot: SourceSnapshot?
        var againMs: Int64 = 0
        var busySinceMs: Int64?
        var directories: Set<String> = []
        /// The directory itself, without links.
        var root: String?
        /// Nil: as before.
        var watched: DirectoryWatches.Watched?
    }

    /// How long Git may hold its lock before that is told, and before the files are read all the same.
    private static let busyMs: (told: Int64, most: Int64) = (2000, 30_000)
    private static let lockPauseMs: Int64 = 20

    var place: Place
    var namespace: String
    var reader: DirectoryReader
    var watches: DirectoryWatches.Adder
    /// Since when Git works on the directory.
    var busySinceMs: Int64?
    /// Directories of the last look.
    var directories: Set<String>

    func take() -> Found {
        var found = Found(reader: reader)
        switch place {
        case .directory(let path, let allowed): readDirectory(path, allowed, &found)
        case .clone(let tree, let git, let checkout): found.snapshot = readClone(tree, git, checkout, &found.reader)
        }
        return found
    }

    static func failure(_ why: String) -> SourceSnapshot {
        SourceSnapshot(revision: "", declared: [], errors: [why], isWhole: false)
    }

    private func readClone(
        _ tree: GitClone.Tree, _ git: SourceSpec.Git, _ checkout: GitClone.Checkout, _ reader: inout DirectoryReader
    ) -> SourceSnapshot {
        do throws(AllowedPaths.Problem) {
            let root = try tree.directory(git.path)
            let prefix = git.path == "." ? "" : "\(git.path.split(separator: "/").joined(separator: "/"))/"
            if checkout.submodules.contains(String(prefix.dropLast())) {
                throw AllowedPaths.Problem(message: "\(git.url)/\(git.path): it is a submodule, which is not followed")
            }
            let submodules = checkout.submodules.filter { $0.hasPrefix(prefix) }.map {
                String($0.dropFirst(prefix.count))
            }
            return reader.read(
                root: root, shown: git.path == "." ? git.url : "\(git.url)/\(git.path)", namespace: namespace,
                revision: "\(git.branch)@\(checkout.commit)", submodules: Set(submodules))
        } catch {
            return Self.failure(error.message)
        }
    }

    private func readDirectory(_ path: String, _ allowed: AllowedPaths, _ found: inout Found) {
        do throws(AllowedPaths.Problem) {
            let root = try allowed.resolve(path)
            found.root = root
            let workTree = GitWorkTree(containing: root)
            let busy = workTree.flatMap { note($0, &found) }
            if let busy, busy.isOnlyTold {
                found.directories = directories
                found.snapshot = busy.words.map(Self.failure)
                found.againMs = Self.lockPauseMs
                return
            }
            // First the watches, then the look: what changes in between is told. New directories are watched and looked
            // into once more.
            let others = workTree.map { [$0.gitDirectory] } ?? []
            let turns = DirectoryWatches.turns(of: path)
            func look() -> SourceSnapshot {
                found.watched = watches.add([root] + found.reader.directories + others, names: turns)
                return found.reader.read(
                    root: root, shown: path, namespace: namespace, revision: workTree?.revision,
                    submodules: workTree?.emptySubmodules(below: root) ?? [])
            }
            var snapshot = look()
            if !Set([root] + found.reader.directories).isSubset(of: directories) { snapshot = look() }
            found.directories = Set([root] + found.reader.directories)
            if found.reader.unsettledMs > 0 {
                found.againMs = found.reader.unsettledMs
                return
            }
            if let words = busy?.words {
                snapshot.errors.append(words)
                snapshot.isWhole = false
            }
            found.snapshot = snapshot
        } catch {
            found.watched = watches.add([], names: DirectoryWatches.turns(of: path))
            found.snapshot = Self.failure(error.message)
        }
    }

    /// What a lock of Git means; nil without one. `isOnlyTold`: the files are not read yet.
    private func note(_ workTree: GitWorkTree, _ found: inout Found) -> (words: String?, isOnlyTold: Bool)? {
        guard workTree.isBusy else { return nil }
        let now = agentos_boot_ms()
        let since = busySinceMs ?? now
        found.busySinceMs = since
        if now - since < Self.busyMs.told { return (nil, true) }
        let words =
            "\(workTree.gitDirectory)/index.lock: a command of Git works on the files; if none runs, one has left the lock: remove it"
        return (words, now - since < Self.busyMs.most)
    }
}
