import Manifests
public import Planner

/// What a step leads to once it is committed.
public struct Step: Sendable {
    public var changes: ChangeSet
    public var answers: [(id: Int, answer: Answer)]
    public var operations: [Operation]
    public var watch: [WatchEvent]
    /// What the readable state takes over.
    let overlay: Overlay
    /// What is given back when the commit fails.
    let taken: Taken
    /// Inputs to look at again when the commit fails.
    let inputs: [Input]

    /// Refreshes of Sources whose result this step took.
    public var refreshes: [Int] {
        inputs.compactMap { if case .sourceRead(_, _, let refresh?) = $0 { refresh.number } else { nil } }
    }

    /// Objects whose delivery this step tells of, by uid.
    public var changedLedgers: Set<UID> { Set(overlay.ledgers.keys) }

    /// The journal has answered for a batch.
    public var tellsDelivery: Bool {
        inputs.contains {
            switch $0 {
            case .delivered, .sinkUnavailable: true
            case .request, .observed, .finished, .driverState, .probed, .homesRemoved, .retained, .sourceRead, .sinks,
                .fed, .measured:
                false
            }
        }
    }

    /// The answers of named sinks that this step took.
    public var sinkRequests: [SinkRequest] {
        inputs.compactMap { if case .fed(let report) = $0 { report.request } else { nil } }
    }
}

/// One change of the readable state.
public struct WatchEvent: Sendable {
    public enum Change: String, Sendable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    public var change: Change
    public var resourceVersion: Int64
    public var object: StoredObject
}
