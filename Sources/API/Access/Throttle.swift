import Values

/// How much each user may ask for: a bucket that fills at a rate and is emptied by requests.
struct Throttle {
    private struct Bucket {
        var tokens: Double
        var atMs: Int64
    }

    private var buckets: [String: Bucket] = [:]

    /// Whether one more request is served now.
    mutating func admits(_ user: String, nowMs: Int64) -> Bool {
        let full = Double(Limits.requestBurst)
        if buckets[user] == nil, buckets.count >= Limits.throttledUsersMax {
            // Who has asked for nothing lately has a full bucket, as one who never asked.
            buckets = buckets.filter { Self.level($0.value, nowMs) < full }
            if buckets.count >= Limits.throttledUsersMax { return false }
        }
        let level = buckets[user].map { Self.level($0, nowMs) } ?? full
        guard level >= 1 else { return false }
        buckets[user] = Bucket(tokens: level - 1, atMs: nowMs)
        return true
    }

    private static func level(_ bucket: Bucket, _ nowMs: Int64) -> Double {
        let gained = Double(max(0, nowMs - bucket.atMs)) * Double(Limits.requestsPerSecond) / 1000
        return min(Double(Limits.requestBurst), bucket.tokens + gained)
    }
}
