import Manifests

struct Wait: Verb {
    static let name = "wait"
    static let usage = "wait --for CONDITION KIND NAME…"
    static let operands = Operands.objects
    static let text = "Wait for objects: --for Ready, Completed, phase=PHASE or deleted."

    let namespace = NamespaceOption()
    let timeout = TimeoutOption()
    @Option("for", value: "CONDITION", "Ready, Completed, Scheduled, phase=PHASE, deleted") var condition: String?

    func run(_ invocation: Invocation) throws -> ExitCode {
        let targets = try invocation.targets(invocation.words)
        guard !targets.isEmpty, let condition else { throw invocation.usage("give --for CONDITION KIND NAME…") }
        guard let goal = Self.goal(condition) else {
            throw invocation.usage(
                "--for: expected Ready, Completed, Scheduled, phase=PHASE or deleted; found \"\(condition)\"")
        }
        let objects = targets.map {
            Awaited(
                $0.kind, namespace: $0.kind.isNamespaced ? namespace.name : "", name: $0.name, wasThere: false)
        }
        return try invocation.session().awaitAll(objects, goal, timeoutMs: timeout.ms)
    }

    private static func goal(_ condition: String) -> Goal? {
        switch condition {
        case "deleted", "delete": return .deleted
        case "Completed": return .completed
        case "Ready", "Scheduled", "Published", "Progressing": return .condition(condition)
        default:
            if condition.hasPrefix("phase=") { return .phase(String(condition.dropFirst(6))) }
            if condition.hasPrefix("condition=") { return .condition(String(condition.dropFirst(10))) }
            return nil
        }
    }
}
