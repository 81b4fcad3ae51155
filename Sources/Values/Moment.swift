/// An instant as three clocks see it. Wall time is for people; decisions use boot time while the machine is up.
public struct Moment: Sendable, Equatable {
    /// Milliseconds since 1970.
    public var wallMs: Int64
    /// Names the boot of the machine.
    public var boot: UInt64
    /// Milliseconds since that boot, sleep included.
    public var bootMs: Int64

    public init(wallMs: Int64, boot: UInt64, bootMs: Int64) {
        self.wallMs = wallMs
        self.boot = boot
        self.bootMs = bootMs
    }
}

/// A point in time that survives daemon restarts and machine restarts. Its arithmetic saturates: times come from
/// databases and requests too.
public struct Deadline: Sendable, Equatable {
    public var boot: UInt64
    public var bootMs: Int64
    public var wallMs: Int64
    public var lengthMs: Int64

    public init(boot: UInt64, bootMs: Int64, wallMs: Int64, lengthMs: Int64) {
        self.boot = boot
        self.bootMs = bootMs
        self.wallMs = wallMs
        self.lengthMs = lengthMs
    }

    public init(_ now: Moment, afterMs: Int64) {
        self.init(
            boot: now.boot, bootMs: now.bootMs.addingSaturated(afterMs), wallMs: now.wallMs.addingSaturated(afterMs),
            lengthMs: afterMs)
    }

    /// Milliseconds left, never negative. On another boot: what is left by wall time, at most the whole length.
    public func remainingMs(_ now: Moment) -> Int64 {
        boot == now.boot
            ? max(0, bootMs.subtractingSaturated(now.bootMs))
            : min(max(0, wallMs.subtractingSaturated(now.wallMs)), lengthMs)
    }

    /// The same deadline in terms of this boot: what is left of it counts from now on.
    public func anchored(_ now: Moment) -> Deadline {
        if boot == now.boot { return self }
        let left = remainingMs(now)
        return Deadline(
            boot: now.boot, bootMs: now.bootMs.addingSaturated(left), wallMs: now.wallMs.addingSaturated(left),
            lengthMs: lengthMs)
    }

    public func isDue(_ now: Moment) -> Bool { remainingMs(now) == 0 }
}
