import Manifests
import Planner
import Reconciler
import Values

/// What happens to a life in its chaos, drawn at random.
extension Life {
    mutating func chaos(_ index: Int) {
        advance(Int64(random.below(900)))
        switch random.below(31) {
        case 0...3: applyAgent(agents[random.below(agents.count)])
        case 4:
            request(
                .delete(
                    agents[random.below(agents.count)], graceMs: random.chance(50) ? Int64(random.below(3)) * 1000 : nil
                ))
        case 5: observe()
        case 6: journalIsDown.toggle()
        case 7: now.wallMs += Int64(random.below(7_200_000)) - 3_600_000
        case 8:
            let living = machine.living
            if !living.isEmpty {
                let run = living[random.below(living.count)]
                machine.end(run, Exit(signal: 11, reason: random.chance(20) ? .oomKilled : .error, atMs: now.wallMs))
                hint(run)
            }
        case 9 where index % 3 == 0: reboot()
        case 10: if random.chance(50) { applyConfigMap() } else { request(.delete(configMap, graceMs: nil)) }
        case 16: if random.chance(20) { report(.stop) }
        case 12...14:
            let living = machine.living
            if !living.isEmpty { probe(living[random.below(living.count)]) }
        case 15:
            let problem = random.chance(50) ? "cannot connect" : nil
            pending.append(.driverState(driver: random.chance(50) ? "process" : "sandbox", problem: problem))
        case 17:
            let living = machine.living
            for run in living.prefix(1) {
                machine.killChild(run)
                hint(run)
            }
        case 20: takeBackup()
        case 21: if random.chance(40) { restoreBackup() }
        case 22: changeDirectories()
        case 23...24: read(directories[random.below(directories.count)])
        case 25:
            // Somebody changes by hand what the directory declares, or deletes it.
            let name = SimulatedDirectory.names[random.below(6)]
            if random.chance(60) {
                applyAgent(SimulatedDirectory.key(name))
            } else {
                request(.delete(SimulatedDirectory.key(name), graceMs: nil))
            }
        case 26:
            let directory = directories[random.below(directories.count)]
            if random.chance(15) { request(.delete(directory.source, graceMs: nil)) } else { applySource(directory) }
        case 18: noteStatus(random.chance(50) ? team : agents[random.below(agents.count)])
        case 19: if random.chance(60) { giveTeamAnOwner() } else { deleteOwner() }
        case 11: if random.chance(70) { applyNamespace() } else { request(.delete(team, graceMs: nil)) }
        case 27: if random.chance(40) { retain() }
        case 28...30: disturbSinks()
        default: break
        }
        // Every life has its crashes, at any boundary.
        if index % 40 == 39 { crash(CrashBoundary.allCases[random.below(2) * 4]) }
    }

    /// What a run's probes find; late, perhaps about a run that has ended since.
    private mutating func probe(_ run: RunID) {
        let failure = random.chance(15) ? "the liveness probe failed" : nil
        let state = ProbeState(hasStarted: random.chance(80), isReady: random.chance(60), failure: failure)
        later(.input(.probed(run, state)), within: 3000)
    }

    private mutating func reboot() {
        machine.reboot(nowMs: now.wallMs)
        // A loss of power takes along what was not synced: run directories, and never what was committed.
        if random.chance(50) { machine.loseRuns(&random) }
        actions = []
        now.boot += 1
        now.bootMs = 500
        now.wallMs += 30_000
        restart()
    }
}
