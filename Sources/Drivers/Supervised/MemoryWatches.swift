import Machine
import Planner

/// Tells when the supervisor of a run has written that the kernel killed children of its agent.
///
/// Only runs whose memory is counted have a watch; without one the next complete observation finds it.
final class MemoryWatches {
    private let inotify: Inotify
    private let runs: Runs

    private final class Runs {
        var byWatch: [Int32: RunID] = [:]
        var watches: [RunID: Int32] = [:]
    }

    /// - Parameter grown: called on the loop's thread.
    init(_ events: EventLoop, grown: @escaping (RunID) -> Void) {
        let runs = Runs()
        self.runs = runs
        inotify = Inotify(events) { told in
            for run in Set(told.filter { $0.name == "oom" }.compactMap { runs.byWatch[$0.watch] }) { grown(run) }
        }
    }

    /// True when the watch is new: what was written before it was told to nobody.
    func watch(_ run: RunID, _ directory: String, _ cgroups: [String]) -> Bool {
        guard runs.watches[run] == nil, cgroups.contains(where: CgroupMounts.countsMemory),
            let watch = inotify.addRenames(directory)
        else { return false }
        runs.watches[run] = watch
        runs.byWatch[watch] = run
        return true
    }

    func forget(_ run: RunID) {
        guard let watch = runs.watches.removeValue(forKey: run) else { return }
        runs.byWatch[watch] = nil
        inotify.remove(watch)
    }
}
