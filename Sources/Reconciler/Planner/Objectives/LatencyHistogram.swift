import Values

/// How often which latency was measured: a log-linear histogram with two decimal digits, in the manner of HDR histograms.
///
/// Up to 99 ms each millisecond is a bucket of its own, above that 90 buckets for each power of ten; a bucket takes what is
/// more than the one below it, and at most its own bound. So a threshold of two digits (`5s`, `250ms`) is the bound of a
/// bucket: how many were within it is known exactly, and a quantile is at most a tenth above what was measured.
/// Guarantee: at most `bucketsMax` numbers, whatever is added; adding and merging lead to the same in any order.
public struct LatencyHistogram: Sendable, Equatable {
    /// A bucket and how many were in it.
    public struct Entry: Sendable, Equatable {
        public var bucket: Int
        public var count: Int

        public init(bucket: Int, count: Int) {
            self.bucket = bucket
            self.count = count
        }
    }

    public static let bucketsMax = 100 + 90 * powers
    private static let powers = 7

    /// Those that have any, the fastest first.
    public private(set) var entries: [Entry] = []

    public init() {}

    /// What was written down of one; nil when it is none.
    public init?(_ entries: [Entry]) {
        for (place, entry) in entries.enumerated() {
            guard (0..<Self.bucketsMax).contains(entry.bucket), entry.count > 0,
                place == 0 || entries[place - 1].bucket < entry.bucket
            else { return nil }
        }
        self.entries = entries
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// How many were measured; saturates.
    public var count: Int { entries.reduce(0) { $0.addingSaturated($1.count) } }

    /// Counts one latency, or so many of it.
    ///
    /// - Parameter ms: less than nothing counts as nothing, and more than the last bucket as in that.
    public mutating func add(ms: Int64, count: Int = 1) { add(Entry(bucket: Self.bucket(ms: ms), count: count)) }

    /// Adds all that another has.
    public mutating func merge(_ other: LatencyHistogram) {
        if entries.isEmpty {
            entries = other.entries
        } else {
            for entry in other.entries { add(entry) }
        }
    }

    private mutating func add(_ entry: Entry) {
        guard entry.count > 0 else { return }
        let place = entries.partition { $0.bucket < entry.bucket }
        if place < entries.count, entries[place].bucket == entry.bucket {
            entries[place].count = entries[place].count.addingSaturated(entry.count)
        } else {
            entries.insert(entry, at: place)
        }
    }

    /// How many took at most so long. Exact for bounds of buckets.
    public func count(withinMs ms: Int64) -> Int {
        let last = Self.bucket(ms: ms)
        return entries.prefix { $0.bucket <= last }.reduce(0) { $0.addingSaturated($1.count) }
    }

    /// The bound of the bucket below or at which this share of all lies, in milliseconds; nil when there are none.
    ///
    /// - Parameter share: 0...1.
    public func quantileMs(_ share: Double) -> Int64? {
        let total = count
        guard let last = entries.last else { return nil }
        let rank = max(1, (Double(total) * share).rounded(.up))
        var seen = 0
        for entry in entries {
            seen = seen.addingSaturated(entry.count)
            if Double(seen) >= rank { return Self.boundMs(of: entry.bucket) }
        }
        return Self.boundMs(of: last.bucket)
    }

    // MARK: Buckets

    /// The bucket that takes a latency.
    public static func bucket(ms: Int64) -> Int {
        if ms <= 0 { return 0 }
        if ms <= 99 { return Int(ms) }
        var (power, unit) = (1, Int64(10))
        while power < powers, (ms - 1) / unit >= 99 { (power, unit) = (power + 1, unit * 10) }
        let digits = (ms - 1) / unit + 1
        return digits > 99 ? bucketsMax - 1 : 100 + 90 * (power - 1) + Int(digits) - 10
    }

    /// The longest latency of a bucket, in milliseconds.
    public static func boundMs(of bucket: Int) -> Int64 {
        if bucket < 100 { return Int64(max(0, bucket)) }
        let (power, digits) = ((min(bucket, bucketsMax - 1) - 100) / 90, (min(bucket, bucketsMax - 1) - 100) % 90 + 10)
        return (0...power).reduce(Int64(digits)) { product, _ in product * 10 }
    }
}

extension Array {
    /// The place of the first that is not before; those before stand first.
    fileprivate func partition(_ isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
