import Manifests
import Values

struct Wait: Verb {
    static let name = "wait"
    static let usage = "wait --for CONDITION KIND NAME…"
    static let text = "Wait for objects: until they are Ready, Completed, in a phase, deleted, or a field has a value."
    static let operands = Operands.objects

    let selection = Selection()
    let timeout = TimeoutOption()
    @Option("for", value: "CONDITION", "Ready, Completed, phase=P, condition=C[=STATUS], jsonpath={.F}[=V], delete")
    var condition: String?

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let condition else { throw invocation.usage("give --for CONDITION KIND NAME…") }
        let goal: Goal
        do throws(Mistake) { goal = try Goal(condition) } catch {
            throw invocation.usage("--for: \(error.message)")
        }
        let session = try invocation.session()
        let objects = try selection.targets(invocation.words, invocation, session).map { target in
            var awaited = selection.awaited(target)
            awaited.wasThere = false
            return awaited
        }
        // What was chosen by labels and is not there has reached nothing but its end.
        if objects.isEmpty, goal != .deleted { return .failure }
        return try session.awaitAll(objects, goal, timeoutMs: timeout.ms, tellsDeletions: true)
    }
}
