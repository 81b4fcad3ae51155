import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Why a start did not happen.
enum LaunchProblem: Error {
    /// The same may succeed later.
    case retry(String)
    /// This run never starts.
    case refused(Exit.Reason, String)
}

/// What is particular to one isolation of agents that live under a supervisor. Called on its driver's thread.
protocol Launcher: AnyObject {
    /// Makes what a start needs and what takes its time; `done` is called once, at once or later.
    func prepare(_ run: Run, _ context: StartContext, done: @escaping (Result<Launch, LaunchProblem>) -> Void)
    /// The run's own limits, as its cgroups get them.
    func resources(of run: Run) -> AgentSpec.Resources

    /// The agent's program runs, not only what starts it.
    func isUp(_ run: RunID) -> Bool
    /// Calls `changed` when a run that is not up may have come up.
    func awaitUp(_ run: RunID, changed: @escaping (RunID) -> Void)
    func facts(of run: RunDirectory) -> InstanceFacts
    /// The agent's own exit, from that of the program that the supervisor ran.
    func exit(of run: RunID, _ exit: Exit) -> Exit

    /// Sends a signal to the agent. What became of it is observed.
    func signal(_ run: RunID, _ process: RunDirectory.Process, _ number: Int32, done: @escaping () -> Void)
    /// What the supervisor runs for a command beside an agent; `finish` follows its end.
    func command(
        _ execution: Execution, id: String, _ process: RunDirectory.Process, _ directory: RunDirectory
    ) throws(Files.Failure) -> Supervisor.Specification
    func finish(
        _ execution: Execution, id: String, _ result: ExecutionResult, done: @escaping (ExecutionResult) -> Void)

    /// Removes what an ended run has left beside its run directory; `done` gets what could not be.
    func remove(_ run: RunID, done: @escaping (String?) -> Void)
    /// Removes what crashes have left, once, before the first observation.
    func sweep()
}

/// A start that is prepared.
struct Launch {
    /// What the supervisor is asked for; written at the last moment, when nobody has the claim of the run.
    var specification: (_ cgroups: [String]) throws(LaunchProblem) -> Supervisor.Specification
}
