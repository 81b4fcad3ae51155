import Manifests
import Planner
public import Reconciler
public import Values

extension EngineState {
    /// How all Objectives stand at a moment: the same as their status, read anew.
    public func objectiveReport(_ now: Moment) -> Node {
        var isSpent = false
        let items = objectives.sorted().compactMap { key -> Node? in
            guard let object = objects[key], var state = object.objective else { return nil }
            let spec = ObjectiveSpec(object.content["spec"] ?? .emptyMap)
            state.reading = measurements.reading(spec, now)
            state.readAtMs = now.wallMs
            if state.reading.phase == .spent { isSpent = true }
            var status = ObjectiveStatus.table.node(ObjectiveStatus(object, state))
            // They are of the time when it was looked at last.
            status["conditions"] = nil
            status["observedGeneration"] = nil
            return .map([
                ("metadata", .map([("name", .text(key.name))])), ("spec", object.content["spec"]),
                ("objective", .text(spec.words)), ("window", .text(ObjectiveSpec.time(spec.windowMs))),
                ("status", status),
            ])
        }
        return .map([
            ("kind", "ObjectiveReport"), ("apiVersion", "agentos.dev/v1"),
            ("verdict", .text(isSpent ? "Spent" : "Pass")), ("frozenBy", freezing.map { .text($0.name) }),
            ("items", .list(items)),
        ])
    }
}
