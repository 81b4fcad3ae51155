import Manifests
import Planner
public import Reconciler
public import Values

/// Objects as people see them: what is declared, and the status beside it.
extension EngineState {
    /// The object as it is shown, with what the state says about its surroundings.
    public func render(_ object: StoredObject) -> Node {
        let kind = object.key.kind
        var entries: [(String, Node?)] = [
            ("apiVersion", .text(kind.apiVersion)), ("kind", .text(kind.rawValue)), ("metadata", metadata(object)),
        ]
        for entry in object.content.map?.entries ?? [] where entry.key != "metadata" && entry.key != "status" {
            entries.append((entry.key, entry.value))
        }
        entries.append(("status", ForeignStatus.joined(ownStatus(object), object.content["status"])))
        return .map(entries)
    }

    private func ownStatus(_ object: StoredObject) -> Node? {
        switch object.key.kind.traits.state {
        case .none: return nil
        case .replicas:
            let inputVersion = { (key: ObjectKey) in objects[key]?.resourceVersion }
            return object.agent.map {
                AgentStatus.table.node(AgentStatus($0, object, ledgers[object.uid] ?? Ledger(), inputVersion))
            }
        case .sync: return object.source.map(SourceStatus.table.node)
        case .objective:
            return object.objective.map { ObjectiveStatus.table.node(ObjectiveStatus(object, $0)) }
        case .tenant: return namespaceStatus(object)
        }
    }

    private func metadata(_ object: StoredObject) -> Node {
        let declaredBy = object.origin.flatMap { origin in
            keysByUID[origin.source].map {
                Node.map([
                    ("source", .text("\($0.namespace)/\($0.name)")), ("file", .text(origin.file)),
                    ("line", .number(origin.line)),
                ])
            }
        }
        let managers: Node? = object.managers.isEmpty ? nil : object.managedFields
        return .map(object.metadata + [("declaredBy", declaredBy), ("managedFields", managers)])
    }

    /// As Kubernetes shows it: the condition names what a deletion waits for.
    private func namespaceStatus(_ object: StoredObject) -> Node {
        guard let deletion = object.deletion else { return .map([("phase", "Active")]) }
        let inside = contents(of: object.key.name).map { "\($0.key.kind.qualifiedSingular)/\($0.key.name)" }
        let shown = inside.prefix(5).joined(separator: ", ") + (inside.count > 5 ? " and \(inside.count - 5) more" : "")
        let finalizers = object.finalizers.joined(separator: ", ")
        let (kind, reason, message) =
            inside.isEmpty
            ? ("NamespaceFinalizersRemaining", "SomeFinalizersRemain", "waiting for finalizers: \(finalizers)")
            : ("NamespaceContentRemaining", "SomeResourcesRemain", "waiting for \(shown)")
        let condition = Node.map([
            ("type", .text(kind)), ("status", "True"), ("reason", .text(reason)), ("message", .text(message)),
            ("lastTransitionTime", .text(Timestamp.seconds(deletion.atMs))),
        ])
        return .map([("phase", "Terminating"), ("conditions", .list([condition]))])
    }
}

extension Kind {
    /// The description of its objects, with what their status shows.
    var shownFields: [Field] {
        let status: Shape
        switch traits.state {
        case .none: return fields
        case .replicas: status = AgentStatus.table.shape()
        case .sync: status = SourceStatus.table.shape()
        case .objective: status = ObjectiveStatus.table.shape()
        case .tenant: return fields
        }
        return fields.map { $0.name == "status" ? Field($0.name, status, text: $0.text) : $0 }
    }
}
