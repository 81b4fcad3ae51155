import Glibc
import Machine
import Planner

/// The directories of replicas that name no working directory: `<directory>/<uid>/<ordinal>`, kept over runs.
struct Homes: Sendable {
    var directory: String

    func path(of run: RunID) -> String { "\(directory)/\(run.uid.hex)/\(run.ordinal)" }

    /// Makes the home of a replica, which belongs to its user: also when a crash came before it was given away, or the
    /// agent has another user now. Caveat: what is in it goes to another user file by file.
    ///
    /// - Parameter owner: nil: as the daemon.
    func make(for run: RunID, owner: (user: UInt32, group: UInt32)?) throws(Files.Failure) {
        let home = path(of: run)
        try Files.makeDirectory("\(directory)/\(run.uid.hex)", mode: 0o711)
        try Files.makeDirectory(home, mode: 0o700)
        guard let owner else { return }
        try Ownership(user: owner.user, group: owner.group).apply(to: home)
    }
}
