import Reconciler

/// Makes text of the records of a log.
///
/// A line that the log has in parts is put together: it has one time stamp, and no line of the other stream stands
/// inside of it.
struct LogLines {
    private let timestamps: Bool
    /// What has come of a line that has not ended, of each stream.
    private var open: [Stream: [UInt8]] = [:]
    /// The stream whose unended line was shown already.
    private var shown: Stream?

    private enum Stream: CaseIterable { case output, error }

    private static let openBytesMax = 1 << 20

    init(timestamps: Bool) { self.timestamps = timestamps }

    mutating func add(_ record: LogRecord, into out: inout [UInt8]) {
        let stream: Stream = record.isError ? .error : .output
        if let shown, shown != stream {
            out.append(0x0a)
            self.shown = nil
        }
        var text: [UInt8] = open.removeValue(forKey: stream) ?? (timestamps ? Array(record.time.utf8) + [0x20] : [])
        text += record.bytes
        if !record.isPartial {
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

    /// The line that was shown last has not ended.
    var isOpen: Bool { shown != nil }

    /// Shows what has come of lines that have not ended.
    mutating func flush(into out: inout [UInt8]) {
        for stream in Stream.allCases {
            guard let text = open[stream], !text.isEmpty else { continue }
            if let shown, shown != stream { out.append(0x0a) }
            out += text
            open[stream] = []
            shown = stream
        }
    }
}
