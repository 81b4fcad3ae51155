public import Values

extension Counts {
    /// What has become of the start of a replica, in the step that sees it: good in the step in which its run is Ready for
    /// the first time, or has done its work; bad when it has failed before.
    ///
    /// Nil: nothing was decided, somebody has asked it to stop, or the machine has restarted.
    public static func start(from old: Replica, to new: Replica, _ now: Moment) -> Counts? {
        guard case .starting(let run, _) = old.phase, run.readyAt == nil else { return nil }
        switch new.phase {
        case .ready(let ready) where ready.id == run.id:
            var counts = Counts(good: 1)
            if run.startBy.boot == now.boot {
                let begunMs = run.startBy.bootMs.subtractingSaturated(run.startBy.lengthMs)
                counts.latencies.add(ms: now.bootMs.subtractingSaturated(begunMs))
            }
            return counts
        case .completed: return Counts(good: 1)
        case .stopping(_, .unhealthy, _): return Counts(bad: 1)
        case .stopping, .stopped: return nil
        case .starting(let same, _) where same.id == run.id: return nil
        case .created, .scheduled, .starting, .ready, .failed, .backingOff:
            guard let exit = new.lastExit, exit != old.lastExit, exit.reason != .machineRestarted else { return nil }
            return Counts(bad: 1)
        }
    }
}
