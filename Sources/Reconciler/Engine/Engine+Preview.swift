import Manifests
public import Planner
public import Values

/// What the next sync of a Source does, as long as nothing changes before it.
public struct Preview: Sendable {
    /// An object as it is and as it will be: nil before it is made, and when it is deleted.
    public struct Change: Sendable {
        public var live: StoredObject?
        public var merged: StoredObject?
    }

    public var changes: [Change] = []
    /// The Source as it will be: with what it refuses, what it only reports, and what it does not delete.
    public var source: SourceState
}

extension Engine {
    /// The sync itself, in a rehearsal; nil while nothing was read yet.
    public func preview(_ key: ObjectKey, _ now: Moment) -> Preview? {
        guard let object = state.objects[key], let source = object.source,
            let snapshot = sources.snapshots[object.uid]
        else { return nil }
        let step = rehearse([.sourceRead(object.uid, snapshot, nil)], now)
        var preview = Preview(source: step.overlay.objects[key]??.source ?? source)
        for (key, merged) in step.overlay.objects.sorted(by: { $0.key < $1.key }) {
            let live = state.objects[key]
            guard live?.origin?.source == object.uid || merged?.origin?.source == object.uid else { continue }
            if let merged, merged.deletion == nil || live?.deletion != nil {
                if merged.content != live?.content {
                    preview.changes.append(Preview.Change(live: live, merged: merged))
                }
            } else if live != nil {
                preview.changes.append(Preview.Change(live: live, merged: nil))
            }
        }
        return preview
    }
}
