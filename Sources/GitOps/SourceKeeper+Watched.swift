import Machine
import Manifests
import Planner
import Reconciler
import Values

extension SourceKeeper {
    /// One Source and what is under way for it.
    final class Watched {
        var request: SourceRequest
        var reader: DirectoryReader
        /// A look is under way, perhaps one that nobody waits for any more.
        var look: Look.State?
        /// Called when the look that is under way has been told of, or given up.
        var afterLook: [() -> Void] = []
        let clone: GitClone?
        /// What the clone has checked out.
        var checkout: GitClone.Checkout?
        var reading: EventLoop.TimerID?
        var changedAtMs: Int64?
        /// Since when Git works on the directory.
        var busyAtMs: Int64?
        var again: EventLoop.TimerID?
        var poll: EventLoop.TimerID?
        var isPolling = false
        /// The repository's place on this machine does not answer; it is asked again when it does.
        var isSilent = false
        /// Called when the poll that is under way has ended.
        var afterPoll: [() -> Void] = []
        var refreshes: [Refresh] = []
        /// Directories of the last reading, and where the first of them is without links.
        var directories: Set<String> = []
        var root: String?
        /// What it declared when it was last reported.
        var declared: Set<ObjectKey> = []
        /// A reading that waits for other Sources.
        var held: SourceSnapshot?

        /// What messages call it.
        var place: String { request.spec.path ?? request.spec.git?.url ?? "" }

        init(_ request: SourceRequest, _ reader: DirectoryReader, _ clone: GitClone?) {
            self.request = request
            self.reader = reader
            self.clone = clone
        }
    }
}
