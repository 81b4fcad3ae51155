import Manifests
public import Planner
public import Reconciler
public import Values

/// A forecast as a document: what `plan` shows, and what a plan that is carried out later stands on.
public enum PlanDocument {
    /// - Parameter mayShow: objects that the asker may not see are left out where he has not written them himself.
    public static func changes(_ forecast: Forecast, mayShow: (ObjectKey) -> Bool) -> Node {
        .list(forecast.changes.filter { $0.action != .follow || mayShow($0.key) }.map(change))
    }

    private static func change(_ change: Forecast.Change) -> Node {
        let key = change.key
        let differences = differences(change)
        return .map([
            ("action", .text(change.action.rawValue)), ("kind", .text(key.kind.rawValue)),
            ("namespace", key.kind.isNamespaced ? .text(key.namespace) : nil), ("name", .text(key.name)),
            ("generation", (change.merged?.generation).map { .number($0) }),
            ("declaredAt", change.place.isEmpty ? nil : .text(change.place)),
            ("differences", differences.isEmpty ? nil : .list(differences.map(\.node))),
            ("restarts", change.restarts.isEmpty ? nil : .list(change.restarts.map(Node.text))),
            ("outdated", change.outdated > 0 ? .number(change.outdated) : nil),
            ("effects", change.effects.isEmpty ? nil : .list(change.effects.map(effect))),
            (
                "waits",
                change.waits.map {
                    .map([("reason", .text($0.reason.rawValue)), ("message", .text($0.message))])
                }
            ),
            ("why", why(change).map(Node.text)),
            (
                "refusal",
                change.refusal.map { refusal in
                    .map([
                        ("message", .text(refusal.words)), ("isConflict", isConflict(refusal) ? true : nil),
                        (
                            "causes",
                            refusal.causes.isEmpty
                                ? nil
                                : .list(
                                    refusal.causes.map {
                                        .map([("field", .text($0.field)), ("message", .text($0.message))])
                                    })
                        ),
                    ])
                }
            ),
            ("standing", change.action == .follow ? nil : standing(change.standing)),
        ])
    }

    private static func isConflict(_ refusal: Refusal) -> Bool { if case .conflict = refusal { true } else { false } }

    private static func effect(_ effect: Forecast.Effect) -> Node {
        switch effect {
        case .start(let ordinal): .map([("start", .number(ordinal))])
        case .stop(let ordinal, let reason): .map([("stop", .number(ordinal)), ("reason", .text(reason.rawValue))])
        case .freeze(let ordinal): .map([("freeze", .number(ordinal))])
        case .thaw(let ordinal): .map([("thaw", .number(ordinal))])
        }
    }

    // MARK: Why

    /// What decides that an object is deleted, or follows; the rest is seen from its fields.
    private static func why(_ change: Forecast.Change) -> String? {
        switch change.action {
        case .create, .change, .keep, .refuse: return nil
        case .delete:
            if change.live?.origin != nil { return "it is no longer declared" }
            return change.live?.content[path: "metadata", "ownerReferences"] == nil
                ? "it goes with what it is in" : "its owner is deleted"
        case .follow:
            let stops = change.effects.compactMap { effect -> StopReason? in
                if case .stop(_, let reason) = effect { reason } else { nil }
            }
            if let reason = stops.first { return ReasonWords.sentence(reason) }
            return change.live?.agent?.summary.condition(.scheduled).flatMap { scheduled in
                scheduled.status ? nil : "it has waited: \(scheduled.message)"
            }
        }
    }

    // MARK: Fields

    /// What people declare is compared; the values of a Secret are told apart and not shown.
    private static func differences(_ change: Forecast.Change) -> [Difference] {
        guard change.refusal == nil else { return [] }
        switch change.action {
        case .keep, .refuse, .follow, .delete: return []
        case .create, .change: break
        }
        let hides = change.key.kind.traits.hidesData
        let isNew = change.action == .create
        let found = Difference.all(
            from: declared(change.live), to: isNew ? written(change.declared) : declared(change.merged))
        return found.map { difference in
            guard hides, difference.path.hasPrefix("data") || difference.path.hasPrefix("stringData") else {
                return difference
            }
            let hidden = Node.text("(hidden)")
            return Difference(
                path: difference.path, from: difference.from == nil ? nil : hidden,
                to: difference.to == nil ? nil : hidden)
        }
    }

    private static func declared(_ object: StoredObject?) -> Node? {
        guard var content = object?.content else { return nil }
        content["status"] = nil
        return content
    }

    /// What is written of a new object, without what names it.
    private static func written(_ node: Node?) -> Node? {
        guard var node else { return nil }
        for field in ["apiVersion", "kind", "status"] { node[field] = nil }
        var metadata = node["metadata"]
        for field in ["name", "namespace"] { metadata?[field] = nil }
        node["metadata"] = metadata?.map?.isEmpty == false ? metadata : nil
        return node
    }

    // MARK: Standings

    static func standing(_ standing: Forecast.Standing) -> Node {
        .map([
            ("kind", .text(standing.key.kind.rawValue)), ("namespace", .text(standing.key.namespace)),
            ("name", .text(standing.key.name)), ("action", .text(standing.action.rawValue)),
            ("uid", (standing.uid?.text).map(Node.text)), ("resourceVersion", .number(standing.resourceVersion)),
            ("generation", .number(standing.generation)),
            ("declared", standing.declared.isEmpty ? nil : .text(standing.declared)),
            ("replicas", .list(standing.replicas.map { .text($0.rawValue) })),
            ("restarts", .list(standing.restarts.map(Node.text))),
            ("waits", (standing.waits?.rawValue).map(Node.text)),
        ])
    }

    /// Reads a standing back; nil for anything that this program does not write.
    public static func standing(_ node: Node) -> Forecast.Standing? {
        let fields = [
            "kind", "namespace", "name", "action", "uid", "resourceVersion", "generation", "declared", "replicas",
            "restarts", "waits",
        ]
        guard let map = node.map, map.entries.allSatisfy({ fields.contains($0.key) }),
            let kind = node["kind"]?.string.flatMap(Kind.init(rawValue:)), let namespace = node["namespace"]?.string,
            let name = node["name"]?.string, let action = node["action"]?.string.flatMap(Forecast.Action.init),
            let version = node["resourceVersion"]?.int, let generation = node["generation"]?.int,
            let replicas = node["replicas"]?.list, let restarts = node["restarts"]?.list
        else { return nil }
        var standing = Forecast.Standing(key: ObjectKey(kind, namespace: namespace, name: name), action: action)
        standing.resourceVersion = Int64(version)
        standing.generation = Int64(generation)
        standing.replicas = replicas.compactMap { $0.string.flatMap(Forecast.ReplicaStanding.init) }
        standing.restarts = restarts.compactMap(\.string)
        guard standing.replicas.count == replicas.count, standing.restarts.count == restarts.count else { return nil }
        if let text = node["uid"] {
            guard let uid = text.string.flatMap({ UID($0) }) else { return nil }
            standing.uid = uid
        }
        if let text = node["declared"] {
            guard let declared = text.string else { return nil }
            standing.declared = declared
        }
        if let text = node["waits"] {
            guard let reason = text.string.flatMap(Condition.Reason.init) else { return nil }
            standing.waits = reason
        }
        return standing
    }
}
