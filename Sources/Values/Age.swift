/// `12s`, `5m`, `3h`, `2d`: how long ago.
public enum Age {
    /// The time since a timestamp as the API writes it.
    public static func text(_ timestamp: String?, nowMs: Int64) -> String {
        guard let timestamp, let ms = Timestamp.parse(timestamp) else { return "<unknown>" }
        let seconds = max(0, (nowMs - ms) / 1000)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7200: return "\(seconds / 60)m"
        case ..<172_800: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
