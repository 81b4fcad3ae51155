public import Planner

/// Why a replica is stopped, as a sentence.
public enum StopWords {
    /// The reason in words, without its subject.
    public static func why(_ reason: StopReason) -> String {
        switch reason {
        case .deleted: "the agent is being deleted"
        case .scaledDown: "there are to be fewer replicas"
        case .suspended: "the agent is suspended"
        case .replaced: "its spec has changed, and a run with the new one takes its place"
        case .unhealthy: "a probe says that it does not do its work any more"
        }
    }
}
