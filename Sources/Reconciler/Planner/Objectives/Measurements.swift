public import Manifests
public import Values

/// All that was measured, and the time that it slides by: the part of the committed state that Objectives are read from.
///
/// It is counted at once and written down from time to time; it knows what is not written yet.
public struct Measurements: Sendable, Equatable {
    /// Nil: nothing was ever measured.
    public private(set) var clock: WindowClock?
    public private(set) var windows: [Measured: SlidingWindow] = [:]
    /// The beginnings of buckets that are not written as they are.
    private var unwritten: [Measured: Set<Int64>] = [:]
    private var dropped: [Measured: Int64] = [:]
    /// Since when something is not written, on the clock of the windows.
    private var unwrittenSinceMs: Int64?

    public init() {}

    /// As they were written down.
    public init(_ clock: WindowClock?, _ buckets: [Measured: [SlidingWindow.Bucket]]) {
        self.clock = clock
        windows = buckets.mapValues { SlidingWindow($0) }
    }

    /// What is to be written of them.
    public enum Write: Sendable, Equatable {
        case clock(WindowClock)
        /// It takes the place of all that began within it.
        case bucket(Measured, SlidingWindow.Bucket)
        /// What began before is gone.
        case dropped(Measured, beforeMs: Int64)
    }

    /// The time of the windows now.
    public func timeMs(_ now: Moment) -> Int64 { clock?.advanced(now).ms ?? now.wallMs }

    /// How an Objective stands now.
    public func reading(_ spec: ObjectiveSpec, _ now: Moment) -> ObjectiveReading {
        ObjectiveReading(spec, windows[spec.indicator.measured] ?? SlidingWindow(), atMs: timeMs(now))
    }

    /// Counts what has happened just now.
    public mutating func add(_ counts: [Measured: Counts], _ now: Moment) {
        let clock = clock?.advanced(now) ?? WindowClock(now)
        self.clock = clock
        for (measured, counts) in counts where !counts.isEmpty {
            let start = windows[measured, default: SlidingWindow()].add(counts, atMs: clock.ms)
            unwritten[measured, default: []].insert(start)
        }
        for measured in Measured.allCases {
            guard let settled = windows[measured]?.settle(atMs: clock.ms), settled != SlidingWindow.Settled() else {
                continue
            }
            if let before = settled.droppedBeforeMs { dropped[measured] = before }
            unwritten[measured, default: []].formUnion(settled.merged)
        }
        if unwrittenSinceMs == nil, !unwritten.isEmpty || !dropped.isEmpty { unwrittenSinceMs = clock.ms }
    }

    // MARK: Writing

    /// For how long something is not written; nil: all is.
    public func unwrittenMs(_ now: Moment) -> Int64? {
        unwrittenSinceMs.map { max(0, timeMs(now).subtractingSaturated($0)) }
    }

    /// Boot time at which something will not be written for so long; nil: all is.
    public func writeDueBootMs(afterMs: Int64) -> Int64? {
        guard let clock, let unwrittenSinceMs else { return nil }
        let leftMs = unwrittenSinceMs.addingSaturated(afterMs).subtractingSaturated(clock.ms)
        return clock.at.bootMs.addingSaturated(max(0, leftMs))
    }

    /// All that is not written yet, with the clock.
    public func writes(_ now: Moment) -> [Write] {
        var writes: [Write] = [.clock(clock?.advanced(now) ?? WindowClock(now))]
        for measured in Measured.allCases {
            if let before = dropped[measured] { writes.append(.dropped(measured, beforeMs: before)) }
            let starts = unwritten[measured] ?? []
            for bucket in windows[measured]?.buckets ?? [] where starts.contains(bucket.startMs) {
                writes.append(.bucket(measured, bucket))
            }
        }
        return writes
    }

    /// What `writes` has told is written.
    public mutating func wrote(_ now: Moment) {
        unwritten = [:]
        dropped = [:]
        clock = clock?.advanced(now)
        unwrittenSinceMs = nil
    }
}
