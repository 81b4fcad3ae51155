/// `12s`, `5m`, `3h`, `2d`: how long ago.
public enum Age {
    /// The time since a timestamp as the API writes it.
    public static func text(_ timestamp: String?, nowMs: Int64) -> String {
        text(sinceMs: timestamp.flatMap(Timestamp.parse), nowMs: nowMs)
    }

    /// The time since a moment; of one that is not known it says so.
    public static func text(sinceMs: Int64?, nowMs: Int64) -> String {
        guard let ms = sinceMs else { return "<unknown>" }
        let seconds = max(0, (nowMs - ms) / 1000)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7200: return "\(seconds / 60)m"
        case ..<172_800: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
