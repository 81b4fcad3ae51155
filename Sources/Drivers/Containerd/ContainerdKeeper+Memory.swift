import CLinux
import Glibc
import Machine
import Planner

/// Kills for want of memory: of a container's first process, which is its end, and of others, which are counted.
extension ContainerdKeeper {
    /// A kill belongs to an end of the container that is not further away.
    private static let nearMs: Int64 = 1000

    func ranOutOfMemory(_ id: String) {
        guard let run = RunID(id), Files.exists(directory(run).path) else { return }
        outOfMemoryAtMs[run] = agentos_boot_ms()
        // It may have been the first process, whose end comes later.
        loop.events.after(ms: Self.nearMs) { self.noteKills(run) }
    }

    /// Writes down how many children were killed, and tells it. Assumes: the container has outlived the kills.
    private func noteKills(_ run: RunID) {
        let (directory, kills) = (directory(run), memoryGroups.oomKills(cgroupsPath(run)))
        guard Files.exists(directory.path), directory.exit == nil, directory.ending == nil,
            kills > directory.childOOMKills
        else { return }
        do throws(Files.Failure) { try directory.write(childOOMKills: kills) } catch {
            return  // the next kill counts this one, too
        }
        spawn { await $0.tell(run) }
    }

    /// Kills that nobody told of, as while no daemon ran.
    func lookForKills(_ run: RunID) {
        if outOfMemoryAtMs[run] == nil, memoryGroups.oomKills(cgroupsPath(run)) > directory(run).childOOMKills {
            ranOutOfMemory(run.text)
        }
    }

    /// What an exit has to do with memory. Assumes: the group of the container is still there.
    func memory(of run: RunID, status: Int) -> (isReason: Bool, childKills: Int) {
        let (kills, known) = (memoryGroups.oomKills(cgroupsPath(run)), directory(run).childOOMKills)
        let at = outOfMemoryAtMs.removeValue(forKey: run)
        let isKilled = status == 128 + Int(SIGKILL)
        // Those that no event was seen of are from a time that nobody knows.
        let isNear = at.map { agentos_boot_ms() - $0 <= Self.nearMs } ?? (isKilled && kills > known)
        let isReason = status != 0 && isNear
        return (isReason, max(known, kills - (isReason && isKilled ? 1 : 0)))
    }
}
