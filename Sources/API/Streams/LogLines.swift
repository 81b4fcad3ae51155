/// Makes lines of text from those of a log in the CRI format: `2026-… stdout F text`.
///
/// A line that the log has in parts (`P`) is put together: it has one time stamp, and no line of the other stream
/// stands inside of it.
struct LogLines: Sendable {
    private let timestamps: Bool
    /// What has come of lines that have not ended, by stream.
    private var open: [ArraySlice<UInt8>: [UInt8]] = [:]
    /// The stream whose unended line was shown already.
    private var shown: ArraySlice<UInt8>?

    private static let openBytesMax = 1 << 20

    init(timestamps: Bool) { self.timestamps = timestamps }

    /// Whether a line of the log ends a line of the output.
    static func isWhole(_ line: ArraySlice<UInt8>) -> Bool {
        let parts = line.prefix(128).split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count > 2 && parts[2].first == UInt8(ascii: "F")
    }

    mutating func add(_ line: ArraySlice<UInt8>, into out: inout [UInt8]) {
        let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return }
        let stream = ArraySlice(Array(parts[1]))
        if let shown, shown != stream {
            out.append(0x0a)
            self.shown = nil
        }
        let stamp: [UInt8] = timestamps ? Array(parts[0]) + [0x20] : []
        var text: [UInt8] = open.removeValue(forKey: stream) ?? stamp
        text += parts[3]
        if parts[2].first == UInt8(ascii: "F") {
            text.append(0x0a)
            out += text
            shown = nil
        } else if text.count > Self.openBytesMax {
            out += text
            open[stream] = []
            shown = stream
        } else {
            open[stream] = text
        }
    }

    /// Shows what has come of lines that have not ended.
    mutating func flush(into out: inout [UInt8]) {
        for (stream, text) in open.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) where !text.isEmpty {
            if let shown, shown != stream { out.append(0x0a) }
            out += text
            open[stream] = []
            shown = stream
        }
    }
}
