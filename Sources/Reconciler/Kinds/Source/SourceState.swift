import Manifests
public import Planner
public import Values

/// Where an object is declared: what makes it its Source's. The inventory of a Source is all objects that name it.
public struct Origin: Sendable, Equatable {
    public var source: UID
    public var file: String
    public var line: Int
    /// The digest of the declaration that the object was last made from.
    public var digest: UInt64

    public init(source: UID, file: String, line: Int, digest: UInt64) {
        self.source = source
        self.file = file
        self.line = line
        self.digest = digest
    }

    public var place: String { "\(file):\(line)" }
}

/// One object as a Source declares it.
public struct Declared: Sendable {
    public var key: ObjectKey
    public var node: Node
    public var file: String
    public var line: Int
    public var column: Int
    public var digest: UInt64
    /// Used when the object is new.
    public var freshUID: UID

    public init(
        key: ObjectKey, node: Node, file: String, line: Int, column: Int, digest: UInt64, freshUID: UID
    ) {
        self.key = key
        self.node = node
        self.file = file
        self.line = line
        self.column = column
        self.digest = digest
        self.freshUID = freshUID
    }
}

/// All that a Source declares at one moment: a fact, like an observation of a driver.
public struct SourceSnapshot: Sendable {
    /// The commit, or a digest of the files.
    public var revision: String
    /// In the order in which they are applied.
    public var declared: [Declared]
    /// `file:line:column: message`, or a message about the directory as a whole.
    public var errors: [String]
    /// Every file was found and read; nothing is deleted otherwise.
    public var isWhole: Bool

    public init(revision: String, declared: [Declared], errors: [String], isWhole: Bool) {
        self.revision = revision
        self.declared = declared
        self.errors = errors
        self.isWhole = isWhole
    }
}

/// The part of a Source's object that the reconciler writes.
public struct SourceState: Sendable, Equatable {
    public var observedGeneration: Int64 = 0
    /// The revision that was applied last, all or in part.
    public var revision = ""
    /// When the last change was applied.
    public var syncedAtMs: Int64 = 0
    public var declared = 0
    /// Of the last sync that changed something.
    public var applied = 0
    public var pruned = 0
    /// Objects that others have changed and that are only reported.
    public var drifted: [String] = []
    /// What stands in the way now; the first of them in words.
    public var failed = 0
    public var errors: [String] = []
    public var pruneWaits = 0
    public var readyBy = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
    public var conditions: [StatusSummary.TimedCondition] = []

    public init() {}

    public func condition(_ kind: Condition.Kind) -> Condition? {
        conditions.first { $0.condition.kind == kind }?.condition
    }

    mutating func set(_ new: [Condition], generation: Int64, _ now: Moment) {
        conditions = conditions.updated(new, generation: generation, now)
    }
}
