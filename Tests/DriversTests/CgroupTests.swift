import Glibc
import Machine
import Manifests
import Planner
import Testing
import Values

@testable import Drivers

/// Limits that no cgroup can hold end the start, not the daemon.
@Suite(.serialized) struct CgroupTests {
    @Test(.enabled(if: getuid() == 0, "needs root"), arguments: [Int64.max, Int64.max / 100 + 1])
    func aLimitThatCannotBeSetRefusesTheStart(_ milli: Int64) throws {
        let cgroups = Cgroups(storeID: "c9709000aaaa")
        defer { cgroups.removeParents() }
        var resources = AgentSpec(.map([("command", .list([.text("true")]))])).resources
        resources.limitCpuMilli = milli
        let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)
        defer { for place in cgroups.places(of: run) { rmdir(place) } }
        guard cgroups.refusals(resources).isEmpty else { return }  // refused at apply then
        do throws(LaunchProblem) {
            _ = try cgroups.make(run, resources)
            Issue.record("it was set")
        } catch {
            guard case .refused(.startError, let message) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(message.contains("cpu"))
        }
    }

    /// A service manager starts the next daemon where agents have no groups: theirs lie in another unit's.
    @Test(.enabled(if: getuid() == 0, "needs root")) func groupsOfAgentsLieBelowTheGroupThatIsGiven() throws {
        var unified: String?
        for line in (Files.text("/proc/self/mounts") ?? "").split(separator: "\n") {
            let parts = line.split(separator: " ")
            if parts.count > 2, parts[2] == "cgroup2" { unified = String(parts[1]) }
        }
        guard let unified else { return }  // version 1 alone: groups lie below the daemon's own
        let group = "/agentos-test-\(getpid())"
        let isMade = mkdir(unified + group, 0o755) == 0
        #expect(isMade)
        defer { rmdir(unified + group) }
        let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)
        let given = Cgroups(storeID: "c9709000aaaa", below: group)
        #expect(given.places(of: run).contains("\(unified)\(group)/agentos-c9709000aaaa/\(run.text)"))
        given.removeParents()
        // A unit that does not run is no reason to run nothing.
        let absent = Cgroups(storeID: "c9709000aaaa", below: "/agentos-nowhere")
        #expect(absent.places(of: run) == Cgroups(storeID: "c9709000aaaa").places(of: run))
        absent.removeParents()
    }
}
