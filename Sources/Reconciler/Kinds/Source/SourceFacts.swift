import Manifests
import Planner

/// What is known of the directories of Sources.
struct SourceFacts: Sendable {
    /// An object that was found to be as declared: by which digest, at which version of its content.
    private struct Verified: Sendable, Equatable {
        var digest: UInt64
        var version: Int64
    }

    /// What Sources declare, as it was read last.
    private(set) var snapshots: [UID: SourceSnapshot] = [:]
    /// Sources whose objects have to be compared with what is declared.
    private var unsynced: Set<UID> = []
    /// Sources that declare something that is being deleted.
    private(set) var awaitingEnds: Set<UID> = []
    /// Sources that may delete all that they no longer declare, once; and who asked for it.
    private(set) var forced: [UID: Principal] = [:]
    /// The version at which the declared content of an object was last written.
    private var contentVersions: [UID: Int64] = [:]
    private var verified: [UID: Verified] = [:]

    mutating func note(_ snapshot: SourceSnapshot, of source: UID, _ refresh: Refresh?) {
        snapshots[source] = snapshot
        unsynced.insert(source)
        if let refresh, refresh.force { forced[source] = refresh.principal }
    }

    /// Something that the Source declares or owns may have changed.
    mutating func mark(_ source: UID) { unsynced.insert(source) }

    mutating func note(_ source: UID, awaitsEnd: Bool) {
        if awaitsEnd { awaitingEnds.insert(source) } else { awaitingEnds.remove(source) }
    }

    /// Takes a Source up for comparison; false when nothing has changed since the last one.
    mutating func take(_ source: UID, into taken: inout Taken) -> Bool {
        guard unsynced.remove(source) != nil else { return false }
        taken.sources.insert(source)
        return true
    }

    mutating func giveBack(_ taken: Taken) { unsynced.formUnion(taken.sources) }

    // MARK: What was compared

    /// What was found equal once is compared again only when one of the two has changed.
    func isVerified(_ object: UID, digest: UInt64) -> Bool {
        verified[object] == Verified(digest: digest, version: contentVersions[object] ?? 0)
    }

    /// - Parameter object: as committed.
    mutating func noteVerified(_ object: UID, digest: UInt64) {
        verified[object] = Verified(digest: digest, version: contentVersions[object] ?? 0)
    }

    // MARK: After a commit

    mutating func noteWritten(_ object: StoredObject) { contentVersions[object.uid] = object.resourceVersion }

    mutating func noteSynced(_ taken: Taken) { for source in taken.sources { forced[source] = nil } }

    mutating func forget(_ uid: UID) {
        snapshots[uid] = nil
        unsynced.remove(uid)
        awaitingEnds.remove(uid)
        forced[uid] = nil
        contentVersions[uid] = nil
        verified[uid] = nil
    }
}
