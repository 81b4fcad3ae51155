import CLinux
import Glibc
import Machine
import Planner

/// Kills for want of memory: of a container's first process, which is its end, and of others, which are counted.
extension ContainerdKeeper {
    func ranOutOfMemory(_ id: String) {
        guard let run = RunID(id), Files.exists(directory(run).path) else { return }
        let now = agentos_boot_ms()
        memoryKills.begin(run, atMs: now)
        // It may have been the first process, whose end comes later.
        loop.events.after(ms: MemoryKills.nearMs) { self.noteKills(run, of: now) }
    }

    /// Writes down how many children were killed, and tells it. Assumes: the container has outlived the kills.
    private func noteKills(_ run: RunID, of atMs: Int64) {
        memoryKills.settle(run, atMs: atMs)
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
        if !memoryKills.areExpected(run), memoryGroups.oomKills(cgroupsPath(run)) > directory(run).childOOMKills {
            ranOutOfMemory(run.text)
        }
    }

    /// What an exit has to do with memory. Assumes: the group of the container is still there.
    func memory(of run: RunID, status: Int) -> (isReason: Bool, childKills: Int) {
        memoryKills.end(
            run, atMs: agentos_boot_ms(), status: status, kills: memoryGroups.oomKills(cgroupsPath(run)),
            known: directory(run).childOOMKills)
    }
}
