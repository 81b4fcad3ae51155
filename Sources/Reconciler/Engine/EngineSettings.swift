public import Manifests
public import Planner
public import Values

/// The machine's and the operator's settings that decisions depend on.
public struct EngineSettings: Sendable {
    public var allocatableCpuMilli: Int64
    public var allocatableMemoryBytes: Int64
    /// The user ids that agents without `runAsUser` get; nil when the daemon is not root.
    public var users: ClosedRange<UInt32>?
    public var startsInFlight: Int
    /// The drivers that agents may name.
    public var drivers: DriverTable
    /// The drivers that this daemon has: each of them tells what it sees.
    public var observers: Set<String>
    /// The named sinks that are configured when the engine begins; inputs change them.
    public var sinks: [SinkRule]
    /// Whether a Source may write to a namespace.
    public var maySourceWrite: @Sendable (_ source: ObjectKey, _ namespace: String) -> Bool
    /// Reasons why a driver of this machine cannot honour a spec; empty when it can.
    public var refusals: @Sendable (AgentSpec) -> [Refusal.Cause]

    public init(
        allocatableCpuMilli: Int64 = .max, allocatableMemoryBytes: Int64 = .max, users: ClosedRange<UInt32>? = nil,
        startsInFlight: Int = Limits.startsInFlight, drivers: DriverTable = .none,
        observers: Set<String> = [], sinks: [SinkRule] = [],
        maySourceWrite: @escaping @Sendable (_ source: ObjectKey, _ namespace: String) -> Bool = { $0.namespace == $1 },
        refusals: @escaping @Sendable (AgentSpec) -> [Refusal.Cause] = { _ in [] }
    ) {
        self.allocatableCpuMilli = allocatableCpuMilli
        self.allocatableMemoryBytes = allocatableMemoryBytes
        self.users = users
        self.startsInFlight = startsInFlight
        self.drivers = drivers
        self.observers = observers
        self.sinks = sinks
        self.maySourceWrite = maySourceWrite
        self.refusals = refusals
    }
}
