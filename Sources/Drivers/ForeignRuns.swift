import Machine
import Planner

/// Runs of another store in this daemon's state directory, as after its database was replaced: they are never touched, and
/// nobody else looks after them.
public enum ForeignRuns {
    /// By the directory they lie in, with how many there are.
    public static func find(in state: String, besides storeID: String) -> [(directory: String, count: Int)] {
        ["runs", "containers", "sandboxes"].compactMap { name in
            let directory = "\(state)/\(name)"
            let count = Files.names(in: directory).count { name in
                guard RunID(name) != nil, let store = RunDirectory(path: "\(directory)/\(name)").store else {
                    return false
                }
                return store != storeID
            }
            return count > 0 ? (directory, count) : nil
        }
    }
}
