import Manifests
public import Planner
public import Values

extension Request {
    /// A change of what is declared of one object, or of one part below it.
    public struct Write: Sendable {
        public enum Operation: Sendable {
            /// The object must not be there.
            case create(Node)
            /// The object as it is to be; it must be there.
            case update(Node)
            /// A change of the object as it is; it must be there.
            case patch(Patch)
            /// Server-side apply: the fields that the manager wants, and no others.
            case apply(Node, force: Bool)
        }

        public enum Patch: Sendable {
            case json(JSONPatch)
            case merge(MergePatch)
            case strategic(StrategicMerge)
        }

        /// The part of an object that is written.
        public enum Subresource: String, Sendable, CaseIterable {
            /// Everything but the status.
            case none = ""
            case status
            /// The number of replicas.
            case scale
        }

        /// What becomes of fields that the kind does not have.
        public enum FieldValidation: String, Sendable, CaseIterable {
            case strict = "Strict"
            /// They are passed over, and that is told.
            case warn = "Warn"
            case ignore = "Ignore"
        }

        public var key: ObjectKey
        public var subresource: Subresource
        public var operation: Operation
        /// Who owns the fields that are written.
        public var manager: String
        /// Only told what would come of it.
        public var dryRun: Bool
        public var validation: FieldValidation
        public var preconditions: Preconditions
        /// Fields that stood twice in the text, with the last of their values taken.
        public var duplicates: [Refusal.Cause] = []
        /// `file:line`, for the audit.
        public var source: String
        /// Used when the object is new.
        public var freshUID: UID
        /// Set when a Source applies.
        public var origin: Origin?
        /// What an agent was made of before, where somebody has looked: a return to it is a rollback.
        public var earlierTemplates: [Node] = []

        public init(
            key: ObjectKey, subresource: Subresource = .none, _ operation: Operation, manager: String,
            dryRun: Bool = false, validation: FieldValidation = .strict, preconditions: Preconditions = Preconditions(),
            source: String = "", freshUID: UID
        ) {
            self.key = key
            self.subresource = subresource
            self.operation = operation
            self.manager = manager
            self.dryRun = dryRun
            self.validation = validation
            self.preconditions = preconditions
            self.source = source
            self.freshUID = freshUID
        }
    }
}

extension Request.Write {
    /// Server-side apply of one object, as the program itself does it: what is not known is an error.
    public static func apply(
        key: ObjectKey, node: Node, manager: String, force: Bool, dryRun: Bool, source: String, freshUID: UID
    ) -> Request.Write {
        Request.Write(
            key: key, .apply(node, force: force), manager: manager, dryRun: dryRun, source: source, freshUID: freshUID)
    }

    /// Whether the object may be made by this.
    var creates: Bool {
        switch operation {
        case .create: true
        case .apply: subresource == .none
        case .update, .patch: false
        }
    }
}

extension Request.Write.Patch {
    /// The document with the patch in it.
    public func applied(to document: Node) throws(PatchProblem) -> Node {
        switch self {
        case .json(let patch): try patch.applied(to: document)
        case .merge(let patch): patch.applied(to: document)
        case .strategic(let patch): try patch.applied(to: document)
        }
    }

    /// Whether the managers of fields are to be among what is patched.
    var readsManagers: Bool {
        switch self {
        case .json(let patch): patch.readsManagers
        case .merge, .strategic: false
        }
    }
}
