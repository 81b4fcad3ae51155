public import Manifests
public import Planner
public import Reconciler
import Values

/// The committed state as its readers see it: objects by kind and namespace, and the latest changes.
///
/// Readers use this and not the engine. A copy stays what it was, whatever is committed later.
public struct PublishedState {
    public private(set) var resourceVersion: Int64
    /// The latest changes of what is stored, for watches that resume.
    private var changes: ChangeRing
    /// Those of objects that are written again and again, so that they do not push the others out.
    var fleetingChanges: ChangeRing
    var told = ToldEvents()
    /// How the daemon's own events are shown; without it they are not.
    public var words: EventWords?
    private var shelves: [Kind: Shelf] = [:]
    /// Agents that are shown as they are and not as they are stored, as they were shown before.
    private var unstored: [ObjectKey: PublishedObject] = [:]

    public init(_ state: EngineState) {
        resourceVersion = state.resourceVersion
        changes = ChangeRing(from: state.resourceVersion)
        fleetingChanges = ChangeRing(from: state.resourceVersion)
        for (kind, objects) in Dictionary(grouping: state.objects.values, by: \.key.kind) {
            shelves[kind] = Shelf(objects.map { PublishedObject($0) })
        }
    }

    public subscript(_ kind: Kind) -> Shelf { shelves[kind] ?? Shelf([]) }

    /// One object, whose shelf is not copied for it.
    public subscript(_ kind: Kind, _ namespace: String, _ name: String) -> PublishedObject? {
        shelves[kind]?[namespace, name]
    }

    /// The changes of a kind after a version, and others among them; nil when not all of them are kept.
    public func changes(of kind: Kind, since version: Int64) -> [PublishedChange]? {
        kind.traits.isFleeting ? fleetingChanges.since(version) : changes.since(version)
    }

    mutating func put(_ object: PublishedObject) { shelves[object.key.kind, default: Shelf([])].put(object) }

    mutating func remove(_ key: ObjectKey) { shelves[key.kind]?.remove(key) }

    /// Objects that a step changes or shows differently, with what the readers of their old form still need.
    ///
    /// Call before the engine takes the step, and hand the result to `take` afterwards.
    func supersede(_ step: Step, _ state: EngineState) -> Set<ObjectKey> {
        var keys = Set(step.changedLedgers.compactMap { state.keysByUID[$0] })
        for event in step.watch {
            keys.insert(event.object.key)
            keys.formUnion(shownWith(event.object, state))
        }
        for key in keys {
            guard let old = state.objects[key] else { continue }
            shelves[key.kind]?[key.namespace, key.name]?.keep(old)
        }
        return keys
    }

    /// Nothing of a step was stored: what was Ready and is not any more is shown so all the same.
    mutating func refuse(_ step: Step, _ state: EngineState) {
        for write in step.changes.objects {
            let key = write.object.key
            // Another generation or revision is what somebody asked for in vain.
            guard var shown = state.objects[key], shown.generation == write.object.generation,
                let was = shown.agent, was.summary.isReady, let agent = write.object.agent, !agent.summary.isReady,
                agent.revision == was.revision, let before = self[key.kind][key.namespace, key.name]
            else { continue }
            if unstored[key] == nil {
                // Changes that are kept for watches are of it.
                before.keep(shown)
                unstored[key] = before
            }
            shown.agent = agent
            put(PublishedObject(shown, isCurrent: false))
        }
    }

    /// Takes what was committed; `keys` are those of `supersede`.
    mutating func take(_ step: Step, _ keys: Set<ObjectKey>, _ state: EngineState) -> [PublishedChange] {
        let (keys, shownBefore) = (keys.union(unstored.keys), unstored)
        unstored = [:]
        var before: [ObjectKey: PublishedObject] = [:]
        for key in keys {
            before[key] = shownBefore[key] ?? shelves[key.kind]?[key.namespace, key.name]
            if let object = state.objects[key] {
                shelves[key.kind, default: Shelf([])].put(PublishedObject(object))
            } else {
                shelves[key.kind]?.remove(key)
            }
        }
        resourceVersion = state.resourceVersion
        // One step writes objects in any order; watches resume by version.
        let news = step.watch.sorted { $0.resourceVersion < $1.resourceVersion }.map { event in
            let key = event.object.key
            let isCurrent = state.objects[key]?.resourceVersion == event.resourceVersion
            let shown = isCurrent ? shelves[key.kind]?[key.namespace, key.name] : nil
            let old = before[key].flatMap { $0.uid == event.object.uid ? $0 : nil }
            return PublishedChange(
                change: event.change, resourceVersion: event.resourceVersion,
                object: shown ?? PublishedObject(event.object, isCurrent: false), before: old,
                bytes: event.object.estimatedBytes)
        }
        for change in news {
            if change.object.key.kind.traits.isFleeting {
                fleetingChanges.append(change)
            } else {
                changes.append(change)
            }
        }
        return news + tell(step.changes.events)
    }

    /// Other objects that show something of this one.
    private func shownWith(_ object: StoredObject, _ state: EngineState) -> Set<ObjectKey> {
        var keys: Set<ObjectKey> = []
        switch object.key.kind.traits.mirror {
        case .runs:
            // Runs name the inputs that they have old values of.
            for agent in self[.agent].objects(namespace: object.key.namespace, after: nil) {
                let replicas = state.objects[agent.key]?.agent?.replicas ?? []
                if replicas.contains(where: { $0.phase.run?.inputs.isEmpty == false }) { keys.insert(agent.key) }
            }
        case .declared: keys.formUnion(state.origins[object.uid] ?? [])
        case .nowhere: break
        }
        // A namespace that is being deleted shows what is still in it.
        let home = ObjectKey(.namespace, namespace: "", name: object.key.namespace)
        if state.objects[home]?.deletion != nil { keys.insert(home) }
        return keys
    }
}

/// The objects of one kind, in the order of namespace and name.
public struct Shelf {
    private var namespaces: [String: [PublishedObject]] = [:]
    private var order: [String] = []

    init(_ objects: [PublishedObject]) {
        namespaces = Dictionary(grouping: objects, by: \.key.namespace).mapValues {
            $0.sorted { $0.key.name < $1.key.name }
        }
        order = namespaces.keys.sorted()
    }

    public subscript(_ namespace: String, _ name: String) -> PublishedObject? {
        guard let objects = namespaces[namespace] else { return nil }
        let index = Self.place(of: name, in: objects)
        return index < objects.count && objects[index].key.name == name ? objects[index] : nil
    }

    /// Objects of one namespace, or of all, behind a place.
    public func objects(namespace: String?, after place: ObjectKey?) -> FlattenSequence<[ArraySlice<PublishedObject>]> {
        let names = namespace.map { [$0] } ?? order
        return names.compactMap { name -> ArraySlice<PublishedObject>? in
            guard let objects = namespaces[name] else { return nil }
            guard let place, name <= place.namespace else { return objects[...] }
            guard name == place.namespace else { return nil }
            let index = Self.place(of: place.name, in: objects)
            return objects[(index < objects.count && objects[index].key.name == place.name ? index + 1 : index)...]
        }.joined()
    }

    mutating func put(_ object: PublishedObject) {
        if namespaces[object.key.namespace] == nil {
            order.insert(object.key.namespace, at: order.firstIndex { $0 > object.key.namespace } ?? order.count)
        }
        Self.put(object, into: &namespaces[object.key.namespace, default: []])
    }

    private static func put(_ object: PublishedObject, into objects: inout [PublishedObject]) {
        let index = place(of: object.key.name, in: objects)
        if index < objects.count, objects[index].key.name == object.key.name {
            objects[index] = object
        } else {
            objects.insert(object, at: index)
        }
    }

    mutating func remove(_ key: ObjectKey) {
        guard let objects = namespaces[key.namespace] else { return }
        let index = Self.place(of: key.name, in: objects)
        guard index < objects.count, objects[index].key.name == key.name else { return }
        if objects.count == 1 {
            namespaces[key.namespace] = nil
            order.removeAll { $0 == key.namespace }
        } else {
            namespaces[key.namespace]?.remove(at: index)
        }
    }

    /// The first index whose name is not before this one.
    private static func place(of name: String, in objects: [PublishedObject]) -> Int {
        var (low, high) = (0, objects.count)
        while low < high {
            let middle = (low + high) / 2
            if objects[middle].key.name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
