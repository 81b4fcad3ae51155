import Manifests
import Planner
import Values

/// One comparison of a Source with the objects: what it found, what it did, what it could not do.
struct Sync {
    /// How much of one error is kept.
    private static let errorLength = 500

    let source: StoredObject
    let spec: SourceSpec
    let snapshot: SourceSnapshot
    /// What the Source owns and no longer declares.
    let missing: [StoredObject]
    let ownedCount: Int
    var drifted: [ObjectKey] = []
    var applied = 0
    var pruned = 0
    var pruneWaits = 0
    /// With the place of each.
    private(set) var errors: [String]

    /// - Parameter isHandedOver: another Source declares the object now.
    init(
        _ source: StoredObject, _ spec: SourceSpec, _ snapshot: SourceSnapshot, _ owned: [StoredObject],
        isHandedOver: (ObjectKey) -> Bool
    ) {
        self.source = source
        self.spec = spec
        self.snapshot = snapshot
        let keys = Set(snapshot.declared.map(\.key))
        missing = owned.filter { !keys.contains($0.key) && $0.deletion == nil && !isHandedOver($0.key) }
        ownedCount = owned.count
        errors = snapshot.errors
    }

    /// A declared object may not be written.
    mutating func refuse(_ index: Int, _ refusal: DeclaredView.Refusal) {
        errors.append(snapshot.declared[index].error("", refusal.words))
    }

    /// A declared object was refused as any other would be.
    mutating func refuse(_ index: Int, _ refusal: Refusal) {
        let item = snapshot.declared[index]
        errors +=
            refusal.causes.isEmpty
            ? [item.error("", refusal.words)] : refusal.causes.map { item.error($0.field, $0.message) }
    }

    /// A drift that is only told, and was not told before.
    func isNewDrift(_ index: Int) -> Bool {
        !(source.source?.drifted ?? []).contains(Self.name(snapshot.declared[index].key))
    }

    private static func name(_ key: ObjectKey) -> String { "\(key.kind.qualifiedSingular)/\(key.name)" }

    private var words: [String] { errors.prefix(Limits.sourceErrorsMax).map { String($0.prefix(Self.errorLength)) } }

    func isNewRevision(since old: SourceState) -> Bool { errors.isEmpty && old.revision != snapshot.revision }

    private func changedSomething(since old: SourceState) -> Bool {
        isNewRevision(since: old) || applied > 0 || pruned > 0
    }

    /// Writes down what is to be seen of it.
    func settle(_ state: inout SourceState, _ now: Moment) {
        let old = state
        state.drifted = spec.drift == .warn ? drifted.map(Self.name) : []
        state.failed = errors.count
        state.errors = words
        state.declared = snapshot.declared.count
        state.pruneWaits = pruneWaits
        guard changedSomething(since: old) else { return }
        state.revision = snapshot.revision
        state.applied = applied
        state.pruned = pruned
        state.syncedAtMs = now.wallMs
    }

    func events(since old: SourceState) -> [Event] {
        var events: [Event] = []
        if changedSomething(since: old) {
            events.append(
                .synced(
                    Event.Sync(
                        revision: snapshot.revision, declared: snapshot.declared.count, applied: applied,
                        pruned: pruned, drifted: drifted.count, failed: errors.count)))
        }
        if !words.isEmpty, words != old.errors {
            events.append(.syncFailed(revision: snapshot.revision, failed: errors.count, errors: words))
        }
        return events
    }
}

extension Declared {
    var place: String { "\(file):\(line)" }

    /// `file:line:column: field: message`.
    fileprivate func error(_ field: String, _ message: String) -> String {
        let mark = field.isEmpty ? nil : node.mark(of: field)
        let (line, column) = mark.map { (Int($0.line), Int($0.column)) } ?? (self.line, self.column)
        let name = field.isEmpty ? "\(key.kind.rawValue) \"\(key.name)\"" : field
        return "\(file):\(line):\(column): \(name): \(message)"
    }
}
