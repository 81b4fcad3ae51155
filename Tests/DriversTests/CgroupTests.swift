import Glibc
import Manifests
import Planner
import Testing
import Values

@testable import Drivers

/// Limits that no cgroup can hold end the start, not the daemon.
@Suite(.serialized) struct CgroupTests {
    @Test(.enabled(if: getuid() == 0, "needs root"), arguments: [Int64.max, Int64.max / 100 + 1])
    func aLimitThatCannotBeSetRefusesTheStart(_ milli: Int64) throws {
        let cgroups = Cgroups(storeID: "0123456789ab")
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
}
