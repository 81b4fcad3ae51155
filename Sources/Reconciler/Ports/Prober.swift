public import Manifests
public import Planner

/// Asks running agents how they are; verdicts are reported as inputs.
public protocol Prober: Sendable {
    /// Begins to probe a run; again for the same run changes nothing.
    func begin(_ target: ProbeTarget)
    func end(_ run: RunID)
}

/// What the probes of one run are, and where they find it.
public struct ProbeTarget: Sendable, Equatable {
    public var run: RunID
    public var driver: String
    public var startup: AgentSpec.Probe?
    public var readiness: AgentSpec.Probe?
    public var liveness: AgentSpec.Probe?
    /// Numeric address that it listens at.
    public var address: String
    /// Wall milliseconds.
    public var startedAtMs: Int64
    /// It has been ready, so its startup probe has succeeded.
    public var hasStarted: Bool
    public var isReady: Bool

    public init(
        run: RunID, driver: String, startup: AgentSpec.Probe? = nil, readiness: AgentSpec.Probe? = nil,
        liveness: AgentSpec.Probe? = nil, address: String, startedAtMs: Int64, hasStarted: Bool = false,
        isReady: Bool = false
    ) {
        self.run = run
        self.driver = driver
        self.startup = startup
        self.readiness = readiness
        self.liveness = liveness
        self.address = address
        self.startedAtMs = startedAtMs
        self.hasStarted = hasStarted
        self.isReady = isReady
    }

    /// Nil for a run without probes, or one that cannot be probed now.
    public init?(_ replica: Replica) {
        let isReady: Bool
        switch replica.phase {
        case .ready: isReady = true
        case .starting(_, seen: true): isReady = false
        case .starting, .created, .scheduled, .failed, .backingOff, .stopping, .stopped, .completed: return nil
        }
        guard let run = replica.phase.run, !run.isFrozen,
            run.spec.startupProbe != nil || run.spec.readinessProbe != nil || run.spec.livenessProbe != nil
        else { return nil }
        self.init(
            run: run.id, driver: run.spec.driver, startup: run.spec.startupProbe, readiness: run.spec.readinessProbe,
            liveness: run.spec.livenessProbe, address: run.facts.address ?? "127.0.0.1",
            startedAtMs: run.startedAtMs ?? 0, hasStarted: run.readyAt != nil, isReady: isReady)
    }
}
