import Manifests
public import Planner
import Values

/// What reaches the engine. Inputs carry keys and facts, never orders to the reconciler.
public enum Input: Sendable {
    case request(Request)
    /// What a driver sees. `complete`: all its instances; others are gone.
    case observed(driver: String, [RunID: Instance], complete: Bool)
    case finished(Operation, OperationResult)
    /// A verdict of a run's probes.
    case probed(RunID, ProbeState)
    /// A driver's runtime cannot be used, with the reason, or can be used again.
    case driverState(driver: String, problem: String?)
    /// What the journal says of a batch, and the offset after all that it holds.
    case delivered([DeliveryVerdict], end: Int64 = 0)
    /// The journal cannot be reached; nothing of the batch is known to be stored.
    case sinkUnavailable(String)
    case homesRemoved(UID)
    /// What a Source declares; with the request of somebody who has asked to read it now.
    case sourceRead(UID, SourceSnapshot, Refresh?)
    /// The journal keeps events from this offset on.
    case retained(from: Int64)
    /// The named sinks that are configured from now on.
    case sinks([SinkRule])
    /// What has come of a delivery to a named sink.
    case fed(SinkReport)
    /// What others have measured of the daemon since they told last.
    case measured([Measured: Counts])
}

/// Somebody asks that a Source is read and applied now.
public struct Refresh: Sendable, Equatable {
    public var number: Int
    public var principal: Principal
    /// All that it no longer declares is to be deleted, however much it is.
    public var force: Bool

    public init(number: Int, principal: Principal, force: Bool) {
        self.number = number
        self.principal = principal
        self.force = force
    }
}

public enum OperationResult: Sendable, Equatable {
    case done
    case failed(String)
}
