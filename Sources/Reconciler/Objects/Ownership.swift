import Manifests
import Planner
public import Values

/// What stands against an apply: other managers own fields with other values.
public struct ApplyConflict: Error, Sendable, Equatable {
    public var owners: [Refusal.FieldOwner]
}

/// Whose fields an apply takes over, beside its own.
public enum Succession: Sendable {
    case none
    /// A Source takes an object up: what other Sources owned of it is its own now, and what people had applied by hand
    /// and the Source declares is the Source's alone.
    case ofSource
}

/// Merges what a manager applies into the live content. Its cost is that of the fields, not of their square.
///
/// Fields that this manager owned and no longer applies are removed unless another owns them. With the last field of a
/// map that anybody owned goes the map, with the defaults that had been filled in beside it.
public func applyFields(
    _ applied: Node, by manager: String, to subresource: Request.Write.Subresource = .none, force: Bool,
    onto live: Node, managers: [FieldManager], succession: Succession = .none, nowMs: Int64
) throws(ApplyConflict) -> (content: Node, managers: [FieldManager]) {
    let leaves = Leaves(of: applied).values
    let fields = FieldTree(leaves.map(\.path))
    var content = ContentTree(live)
    var own = FieldManager(
        name: manager, operation: .apply, subresource: subresource, timeMs: nowMs, fields: fields)
    var (place, others): (Int?, [FieldManager]) = (nil, [])
    var before = FieldTree()
    for other in managers {
        if other.isSame(own) {
            place = others.count
            if other.fields == fields { own.timeMs = other.timeMs }
            before.formUnion(other.fields)
        } else if case .ofSource = succession, other.isOfSource {
            before.formUnion(other.fields)
        } else {
            others.append(other)
        }
    }

    var owners: [Refusal.FieldOwner] = []
    for (path, value) in leaves {
        let differs = !content.holds(value, at: path)
        guard differs || succession.takesEqual else { continue }
        for index in others.indices where others[index].fields.touches(path) {
            if force {
                others[index].fields.remove(touching: path[...])
            } else if differs {
                owners.append(Refusal.FieldOwner(manager: others[index].name, path: path.map { ".\($0)" }.joined()))
            }
        }
    }
    guard owners.isEmpty else { throw ApplyConflict(owners: owners) }

    var owned = fields
    for other in others { owned.formUnion(other.fields) }
    for path in before.paths where !owned.touches(path) {
        let shortest = path.indices.first { !owned.touches(path[...$0]) } ?? path.endIndex - 1
        content.remove(path[...shortest])
    }
    for (path, value) in leaves { content.set(path[...], value) }

    // A manager keeps its place: the same again is no change.
    others.insert(own, at: place ?? others.count)
    return (content.node, others.filter { !$0.fields.isEmpty })
}

/// Lets fields change hands that were written otherwise than by apply: what was changed is the writer's alone.
func takeFields(
    _ difference: FieldDifference, by manager: String, to subresource: Request.Write.Subresource,
    from managers: [FieldManager], nowMs: Int64
) -> [FieldManager] {
    if difference.isEmpty { return managers }
    var own = FieldManager(
        name: manager, operation: .update, subresource: subresource, timeMs: nowMs, fields: FieldTree())
    var result = managers
    let place = result.firstIndex { $0.isSame(own) }
    if let place { own.fields = result[place].fields }
    for index in result.indices where index != place {
        for path in difference.changed + difference.removed { result[index].fields.remove(touching: path[...]) }
    }
    for path in difference.removed { own.fields.remove(touching: path[...]) }
    for path in difference.changed { own.fields.insert(path[...]) }
    if let place { result[place] = own } else { result.append(own) }
    result.removeAll { $0.fields.isEmpty }
    return withoutAncient(result)
}

/// Those who wrote long ago, when there are many, are kept as one.
private func withoutAncient(_ managers: [FieldManager]) -> [FieldManager] {
    let updates = managers.filter { $0.operation == .update }.sorted { $0.timeMs < $1.timeMs }
    let surplus = updates.count - Limits.updateManagersMax
    guard surplus > 0 else { return managers }
    var ancient = FieldManager(name: FieldManager.ancient, operation: .update, timeMs: 0, fields: FieldTree())
    let merged = updates.prefix(surplus + 1)
    for manager in merged {
        ancient.fields.formUnion(manager.fields)
        ancient.timeMs = max(ancient.timeMs, manager.timeMs)
    }
    return managers.filter { manager in !merged.contains { $0.isSame(manager) } } + [ancient]
}

extension Succession {
    /// Fields that others own with the same value are taken over, too.
    fileprivate var takesEqual: Bool {
        switch self {
        case .none: false
        case .ofSource: true
        }
    }
}
