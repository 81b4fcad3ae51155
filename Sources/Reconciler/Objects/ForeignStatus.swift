import Manifests
import Planner
public import Values

/// The part of a status that others write: fields that the daemon does not have, and conditions of types that it does not
/// set. It stands beside the daemon's own part and never in its place.
public enum ForeignStatus {
    /// What others may keep of a status; nil for nothing.
    static func part(of status: Node?, _ key: ObjectKey) throws(Refusal) -> Node? {
        guard let status, !status.isNull else { return nil }
        guard let map = status.map else {
            let message = "expected a map, found \(status.kindOfValue)"
            throw .invalid(key, [Refusal.Cause(message: message, field: "status")])
        }
        // Conditions are told apart one by one, whether the kind has some of its own or not.
        let own = key.kind.traits.ownStatus.union(["conditions"])
        var kept = map.entries.filter { !own.contains($0.key) && !$0.value.isNull }
        if let conditions = map["conditions"], !conditions.isNull {
            guard let items = conditions.list else {
                let message = "expected a list, found \(conditions.kindOfValue)"
                throw .invalid(key, [Refusal.Cause(message: message, field: "status.conditions")])
            }
            var types: Set<String> = []
            for (index, item) in items.enumerated() {
                guard let type = item["type"]?.string, !type.isEmpty, types.insert(type).inserted else {
                    let cause = Refusal.Cause(
                        message: "every condition has a type of its own", field: "status.conditions[\(index)].type")
                    throw .invalid(key, [cause])
                }
            }
            let foreign = items.filter { !isOwn($0) }
            if !foreign.isEmpty { kept.append(NodeMap.Entry(key: "conditions", value: .list(foreign))) }
        }
        return kept.isEmpty ? nil : Node(.map(NodeMap(kept)))
    }

    private static let ownTypes = Set(Condition.Kind.allCases.map(\.rawValue))

    /// Namespaces show Kubernetes' own conditions while they end.
    private static func isOwn(_ condition: Node) -> Bool {
        let type = condition["type"]?.string ?? ""
        return ownTypes.contains(type) || type.hasPrefix("Namespace")
    }

    /// The daemon's status with what others have added to it.
    public static func joined(_ own: Node?, _ foreign: Node?) -> Node? {
        guard let foreign, let added = foreign.map else { return own }
        var map = own?.map ?? NodeMap()
        for entry in added.entries where entry.key != "conditions" {
            if map[entry.key] == nil { map.entries.append(entry) }
        }
        if let conditions = foreign["conditions"]?.list {
            map["conditions"] = .list((map["conditions"]?.list ?? []) + conditions)
        }
        return Node(.map(map))
    }
}
