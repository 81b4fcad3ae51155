import Manifests
public import Values

/// What was counted: how many went well, how many did not, and how long they took.
public struct Counts: Sendable, Equatable {
    public var good: Int
    public var bad: Int
    public var latencies: LatencyHistogram

    public init(good: Int = 0, bad: Int = 0, latencies: LatencyHistogram = LatencyHistogram()) {
        self.good = good
        self.bad = bad
        self.latencies = latencies
    }

    public var isEmpty: Bool { good == 0 && bad == 0 && latencies.isEmpty }

    /// Adds all that was counted elsewhere; sums saturate.
    public mutating func add(_ other: Counts) {
        good = good.addingSaturated(other.good)
        bad = bad.addingSaturated(other.bad)
        latencies.merge(other.latencies)
    }
}

/// What was counted lately, in buckets of time that are the coarser the older they are: minutes for two hours, then ten
/// minutes for two days, then hours for a month.
///
/// Its time is its own, in milliseconds, and never goes back (`WindowClock`).
/// Guarantee: a window is made of whole steps (`stepMs`), the one that is under way and all that are not over for as long as
/// the window is. What it says does not depend on when something was merged.
public struct SlidingWindow: Sendable, Equatable {
    /// What was counted from one time on, for so long.
    public struct Bucket: Sendable, Equatable {
        public var startMs: Int64
        public var lengthMs: Int64
        public var counts: Counts

        public init(startMs: Int64, lengthMs: Int64, counts: Counts) {
            self.startMs = startMs
            self.lengthMs = lengthMs
            self.counts = counts
        }

        public var endMs: Int64 { startMs.addingSaturated(lengthMs) }
    }

    /// How long buckets are, until they are over for so long.
    private static let tiers: [(lengthMs: Int64, untilMs: Int64)] = [
        (60_000, 2 * 3_600_000), (600_000, 48 * 3_600_000), (3_600_000, ObjectiveSpec.windowMsMax),
    ]
    /// All that there can be of them.
    public static let bucketsMax = tiers.reduce(0) { $0 + Int($1.untilMs / $1.lengthMs) + 1 }
    public static let lengths = tiers.map(\.lengthMs)

    /// The oldest first; none where nothing was counted.
    public private(set) var buckets: [Bucket]
    /// The minute in which buckets were merged last.
    private var settledMs: Int64?

    /// - Parameter buckets: as they were written down; whatever is between two of them was merged into the later one.
    public init(_ buckets: [Bucket] = []) { self.buckets = buckets.sorted { $0.startMs < $1.startMs } }

    /// The time from the beginning of one step to that of the next, in a window of a length.
    public static func stepMs(ofWindowMs windowMs: Int64) -> Int64 {
        tiers.first { windowMs <= $0.untilMs }?.lengthMs ?? tiers[tiers.count - 1].lengthMs
    }

    /// Counts something that has happened now.
    ///
    /// - Returns: the beginning of the bucket that it is in.
    @discardableResult public mutating func add(_ counts: Counts, atMs: Int64) -> Int64 {
        let start = Self.floor(atMs, Self.tiers[0].lengthMs)
        if let last = buckets.indices.last, buckets[last].endMs > start {
            buckets[last].counts.add(counts)
            return buckets[last].startMs
        }
        buckets.append(Bucket(startMs: start, lengthMs: Self.tiers[0].lengthMs, counts: counts))
        return start
    }

    /// What has changed in `settle`, for those who keep a copy.
    public struct Settled: Sendable, Equatable {
        /// The beginnings of buckets that took others in.
        public var merged: [Int64] = []
        /// Buckets that began before are gone; nil: none.
        public var droppedBeforeMs: Int64?
    }

    /// Merges what has become old, and drops what is too old. Costs something once a minute.
    public mutating func settle(atMs: Int64) -> Settled {
        let minute = Self.floor(atMs, Self.tiers[0].lengthMs)
        guard settledMs != minute else { return Settled() }
        settledMs = minute
        var settled = Settled()
        let over = buckets.prefix { $0.endMs <= atMs.subtractingSaturated(ObjectiveSpec.windowMsMax) }.count
        if over > 0 {
            buckets.removeFirst(over)
            settled.droppedBeforeMs = buckets.first?.startMs ?? minute
        }
        for (tier, next) in zip(Self.tiers, Self.tiers.dropFirst()) {
            merge(from: tier.lengthMs, to: next.lengthMs, before: atMs.subtractingSaturated(tier.untilMs), &settled)
        }
        return settled
    }

    /// Merges the buckets of one length into those of the next, where these are over by then.
    private mutating func merge(from: Int64, to: Int64, before endMs: Int64, _ settled: inout Settled) {
        guard let first = buckets.firstIndex(where: { $0.lengthMs == from }) else { return }
        var merged: [Bucket] = []
        var next = first
        while next < buckets.count {
            let start = Self.floor(buckets[next].startMs, to)
            if start.addingSaturated(to) > endMs { break }
            if let last = merged.indices.last, merged[last].startMs == start {
                merged[last].counts.add(buckets[next].counts)
            } else {
                merged.append(Bucket(startMs: start, lengthMs: to, counts: buckets[next].counts))
            }
            next += 1
        }
        if merged.isEmpty { return }
        buckets.replaceSubrange(first..<next, with: merged)
        settled.merged += merged.map(\.startMs)
    }

    // MARK: Asking

    /// What was counted in the window that ends now.
    public func counts(windowMs: Int64, atMs: Int64) -> Counts {
        var sum = Counts()
        for bucket in buckets.reversed() {
            if !Self.isInside(bucket.startMs, windowMs: windowMs, atMs: atMs) { break }
            sum.add(bucket.counts)
        }
        return sum
    }

    /// Whether something of that time is in the window that ends now.
    public static func isInside(_ ms: Int64, windowMs: Int64, atMs: Int64) -> Bool {
        let step = stepMs(ofWindowMs: windowMs)
        return floor(ms, step).addingSaturated(step) > atMs.subtractingSaturated(windowMs)
    }

    /// The window in equal parts, the oldest first.
    public func parts(_ count: Int, windowMs: Int64, atMs: Int64) -> [Counts] {
        var parts = Array(repeating: Counts(), count: count)
        for bucket in buckets.reversed() {
            if !Self.isInside(bucket.startMs, windowMs: windowMs, atMs: atMs) { break }
            let age = max(0, atMs.subtractingSaturated(bucket.startMs))
            let part = count - 1 - Int(clamping: age / max(1, windowMs / Int64(count)))
            parts[max(0, part)].add(bucket.counts)
        }
        return parts
    }

    static func floor(_ ms: Int64, _ step: Int64) -> Int64 {
        let rest = ms % step
        return ms.subtractingSaturated(rest < 0 ? rest + step : rest)
    }
}

/// The time that windows slide by. It begins as wall time and then goes on as the machine's own: a clock that is set moves
/// nothing. What passed while the machine was off, or another one had the database, is what the clock of the wall says, at
/// most the longest window.
public struct WindowClock: Sendable, Equatable {
    public private(set) var ms: Int64
    /// When it was that time.
    public private(set) var at: Moment

    public init(ms: Int64, at: Moment) {
        self.ms = ms
        self.at = at
    }

    public init(_ now: Moment) { self.init(ms: now.wallMs, at: now) }

    /// The same clock now. Guarantee: never earlier.
    public func advanced(_ now: Moment) -> WindowClock {
        let passed =
            now.boot == at.boot
            ? now.bootMs.subtractingSaturated(at.bootMs)
            : min(now.wallMs.subtractingSaturated(at.wallMs), ObjectiveSpec.windowMsMax)
        return WindowClock(ms: ms.addingSaturated(max(0, passed)), at: now)
    }

    /// A time of the clock as wall time is now.
    public func wallMs(of time: Int64) -> Int64 { at.wallMs.subtractingSaturated(ms.subtractingSaturated(time)) }
}
