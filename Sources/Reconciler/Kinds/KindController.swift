public import Manifests
import Planner
import Values

/// What the reconciler does with objects of one kind: it accepts what is declared, plans what follows, and says when a
/// deleted one may go.
///
/// A new kind is a controller in a folder of its own, and a row in `Kind.controller`; its parts are optional.
protocol KindController: Sendable {
    static var traits: KindTraits { get }
    /// What is declared, in the form in which it is stored.
    func stored(_ declared: Node) -> Node
    /// Completes a candidate, or refuses it.
    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal)
    /// What is declared was written: marks all that looks at it again.
    func declared(_ object: StoredObject, in work: inout Work)
    /// Decides what follows from the object; called whenever something of it, or around it, has changed.
    func plan(_ object: StoredObject, in work: inout Work)
    /// Refuses a deletion, whoever asks for it.
    func checkDeletion(of object: StoredObject) throws(Refusal)
    /// Nothing of a deleted object is left.
    func mayGo(_ object: StoredObject, in work: Work) -> Bool
    /// The tenant that an object belongs to; empty for what belongs to none.
    func tenant(of key: ObjectKey) -> String
}

extension KindController {
    static var traits: KindTraits { .plain }
    func stored(_ declared: Node) -> Node { declared }
    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) {}
    func declared(_ object: StoredObject, in work: inout Work) {}
    func plan(_ object: StoredObject, in work: inout Work) {}
    func checkDeletion(of object: StoredObject) throws(Refusal) {}
    func mayGo(_ object: StoredObject, in work: Work) -> Bool { true }
    func tenant(of key: ObjectKey) -> String { key.kind.isNamespaced ? key.namespace : "" }
}

extension Kind {
    /// The one place that tells the controllers of kinds apart.
    var controller: any KindController {
        switch self {
        case .namespace: NamespaceController()
        case .secret: SecretController()
        case .configMap: ConfigMapController()
        case .source: SourceController()
        case .agent: AgentController()
        case .serviceAccount: ServiceAccountController()
        case .role, .clusterRole: RoleController()
        case .roleBinding, .clusterRoleBinding: BindingController()
        case .event, .lease: FleetingController()
        case .resourceQuota: PlainController()
        case .objective: ObjectiveController()
        }
    }

    /// What the store and the readers of this kind depend on.
    public var traits: KindTraits { type(of: controller).traits }

    var hasStatus: Bool { fields.contains { $0.name == "status" } }
}

/// What the stored form of a kind, and those who read it, depend on.
public struct KindTraits: Sendable {
    /// What the reconciler keeps beside what is declared.
    public enum State: Sendable, Equatable {
        case none
        /// Replicas and their runs.
        case replicas
        /// How far a directory is applied.
        case sync
        /// The objects of a namespace.
        case tenant
        /// How a promise stood when it was looked at last.
        case objective
    }

    /// Which other objects show something of one.
    public enum Mirror: Sendable, Equatable {
        case nowhere
        /// Agents whose runs have read its values.
        case runs
        /// The objects that a Source declares.
        case declared
    }

    public var state = State.none
    /// Fields of the status that the daemon alone writes.
    public var ownStatus: Set<String> = []
    /// The values of `data` are in base64, are kept apart, and are shown to few.
    public var hidesData = false
    public var mirror = Mirror.nowhere
    /// Clones of Sources look at it.
    public var feedsSources = false
    /// Its objects are written again and again: their changes push out no others, and no events tell of them.
    public var isFleeting = false
    /// What is declared of it stays as it is while a budget is spent that freezes.
    public var isFrozenWhenSpent = false

    static let plain = KindTraits()

    init(
        state: State = .none, ownStatus: Set<String> = [], hidesData: Bool = false, mirror: Mirror = .nowhere,
        feedsSources: Bool = false, isFleeting: Bool = false, isFrozenWhenSpent: Bool = false
    ) {
        self.state = state
        self.ownStatus = ownStatus
        self.hidesData = hidesData
        self.mirror = mirror
        self.feedsSources = feedsSources
        self.isFleeting = isFleeting
        self.isFrozenWhenSpent = isFrozenWhenSpent
    }
}

extension ObjectKey {
    /// The namespace that an object is in, or is; empty for what belongs to none.
    var tenant: String { kind.controller.tenant(of: self) }
}
