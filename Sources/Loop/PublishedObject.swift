import Manifests
public import Planner
public import Reconciler
import Values

/// One version of an object: what readers select it by, and its text, which is made when first asked for and then kept.
public final class PublishedObject {
    public let key: ObjectKey
    public let uid: UID
    public let resourceVersion: Int64
    public private(set) lazy var selectable: Selectable = tell()
    private var form: Form
    /// Makes what is stored nowhere, when it is first asked for.
    private let told: (() -> Node)?
    /// The object itself, as its readers are shown it.
    public private(set) lazy var document = Document(selectable)
    /// What it is shown as by a view, by the resource of the view.
    private var documents: [String: [Document]] = [:]

    private enum Form {
        /// Nobody has read it yet; the engine has it.
        case current
        /// The engine has a later version.
        indirect case old(StoredObject)
        case text([UInt8])
        /// To be made when it is asked for.
        case told
    }

    init(_ object: StoredObject, isCurrent: Bool = true) {
        key = object.key
        uid = object.uid
        resourceVersion = object.resourceVersion
        told = nil
        form = isCurrent ? .current : .old(object)
        selectable = Selectable(
            namespace: object.key.namespace, name: object.key.name, labels: object.content[path: "metadata", "labels"],
            fields: object.key.kind.definition.selectableFields.compactMap { path in
                object.field(path).map { (path, $0) }
            })
    }

    /// What is stored nowhere.
    init(_ key: ObjectKey, _ uid: UID, _ resourceVersion: Int64, told: @escaping () -> Node) {
        self.key = key
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.told = told
        form = .told
    }

    /// Makes what is stored nowhere: its text and what selects it, at once.
    private func tell() -> Selectable {
        let node = told?() ?? .emptyMap
        form = .text(JSONWriter.bytes(node))
        return Selectable(node, fields: key.kind.definition.selectableFields)
    }

    /// The engine is about to change the object: readers that hold this version need it as it was.
    func keep(_ object: StoredObject) {
        if case .current = form { form = .old(object) }
    }

    /// What a view shows of it; made when that is first asked for.
    public func documents(of resource: String, make: () -> [Document]) -> [Document] {
        if let known = documents[resource] { return known }
        let made = make()
        documents[resource] = made
        return made
    }

    /// The object as text, which is asked of the state only when it is not there yet.
    public func text(_ state: @autoclosure () -> EngineState, encode: (StoredObject) -> [UInt8]) -> [UInt8] {
        switch form {
        case .text(let bytes): return bytes
        case .old(let object): form = .text(kept(encode(object)))
        case .told: _ = selectable
        case .current:
            guard let object = state().objects[key], object.uid == uid else {
                preconditionFailure("\(key) is published and not committed")
            }
            form = .text(kept(encode(object)))
        }
        return text(state(), encode: encode)
    }
}

/// A text that stays, without the room that it was written in.
private func kept(_ text: [UInt8]) -> [UInt8] {
    text.withUnsafeBufferPointer { [UInt8]($0) }
}

/// One change, as watches tell it.
public struct PublishedChange {
    public let change: WatchEvent.Change
    public let resourceVersion: Int64
    public let object: PublishedObject
    /// The object before this change; nil when it was not there.
    public let before: PublishedObject?
    /// About so much memory does it take.
    let bytes: Int
    /// Something that was told is shown no longer: nothing was committed.
    let isExpiry: Bool
    private let told = Told()

    init(
        change: WatchEvent.Change, resourceVersion: Int64, object: PublishedObject, before: PublishedObject?,
        bytes: Int,
        isExpiry: Bool = false
    ) {
        self.isExpiry = isExpiry
        self.change = change
        self.resourceVersion = resourceVersion
        self.object = object
        self.before = before
        self.bytes = bytes
    }

    /// What the change means for those who watch one document.
    public struct Difference {
        /// As it is or, when it is gone, as it was.
        public let document: Document
        /// What selected it before; nil when it was not there.
        public let before: Selectable?
        public let isGone: Bool

        public init(_ document: Document, before: Selectable?, isGone: Bool) {
            self.document = document
            self.before = before
            self.isGone = isGone
        }
    }

    private final class Told { var differences: [String: [Difference]] = [:] }

    /// What it means for those who watch a resource; made when that is first asked for, once for all of them.
    public func differences(of resource: String, make: () -> [Difference]) -> [Difference] {
        if let known = told.differences[resource] { return known }
        let made = make()
        told.differences[resource] = made
        return made
    }
}

/// The latest changes, oldest first, within a number and an amount of memory.
public struct ChangeRing {
    /// Watches can resume from this version on.
    public private(set) var start: Int64
    private var changes: [PublishedChange] = []
    private var first = 0
    private var bytes = 0

    init(from version: Int64) { start = version }

    /// The changes after a version; nil when not all of them are here.
    public func since(_ version: Int64) -> [PublishedChange]? {
        guard version >= start else { return nil }
        let after = place(after: version)
        // What was told and is shown no longer went without a new version: who has seen that one may not know it.
        let gone = changes[place(after: version - 1)..<after].filter { $0.isExpiry }
        return gone + changes[after...]
    }

    /// Where the changes after a version begin.
    private func place(after version: Int64) -> Int {
        var (low, high) = (first, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].resourceVersion <= version { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func append(_ change: PublishedChange) {
        changes.append(change)
        bytes += change.bytes
        while changes.count - first > Limits.watchRingMax
            || (bytes > Limits.watchRingBytesMax && first < changes.count - 1)
        {
            start = changes[first].resourceVersion
            bytes -= changes[first].bytes
            first += 1
        }
        if first > changes.count / 2 {
            changes.removeFirst(first)
            first = 0
        }
    }
}

extension StoredObject {
    /// The value of a selectable field. What the status shows is told without making the whole of it.
    fileprivate func field(_ path: String) -> String? {
        guard path == "status.phase" else { return content.scalar(at: path) }
        if let agent { return agent.summary.phase.rawValue }
        if let objective { return objective.reading.phase.rawValue }
        return key.kind.traits.state == .tenant ? (deletion == nil ? "Active" : "Terminating") : nil
    }

    /// About what its text takes. Counted without making the text: most changes are never read.
    var estimatedBytes: Int {
        var bytes = 512 + content.estimatedBytes
        for manager in managers { bytes += manager.fieldsV1.estimatedBytes }
        return bytes + 512 * (agent?.replicas.count ?? 0)
    }
}

extension Node {
    fileprivate var estimatedBytes: Int {
        switch value {
        case .null, .bool, .int, .double: 16
        case .string(let text): text.utf8.count + 8
        case .list(let items): items.reduce(16) { $0 + $1.estimatedBytes }
        case .map(let map): map.entries.reduce(16) { $0 + $1.key.utf8.count + $1.value.estimatedBytes + 8 }
        }
    }
}
