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
    _ applied: Node, by manager: String, force: Bool, onto live: Node, managers: [FieldManager],
    succession: Succession = .none, nowMs: Int64
) throws(ApplyConflict) -> (content: Node, managers: [FieldManager]) {
    let leaves = Leaves(of: applied).values
    let fields = FieldTree(leaves.map(\.path))
    var content = ContentTree(live)
    var (mine, others): (FieldManager?, [FieldManager]) = (nil, [])
    var before = FieldTree()
    for other in managers {
        if other.name == manager, other.operation == "Apply" {
            mine = other
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

    others.removeAll { $0.fields.isEmpty }
    let time = mine?.fields == fields ? mine?.timeMs ?? nowMs : nowMs
    let own = FieldManager(name: manager, operation: "Apply", timeMs: time, fields: fields)
    return (content.node, others + [own])
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
