import Machine
package import Reconciler

/// What a run of this machine has written, for one reader.
final class LogStream {
    private let events: EventLoop
    private let directory: RunDirectory
    private let files: LogFiles
    private let follows: Bool
    private var question: (bytesMax: Int, take: @Sendable ([LogRecord]?) -> Void)?

    init(_ directory: RunDirectory, _ request: LogRequest, _ events: EventLoop) {
        self.events = events
        self.directory = directory
        files = LogFiles(directory, tail: request.tail)
        follows = request.follows
    }

    func next(bytesMax: Int, _ take: @escaping @Sendable ([LogRecord]?) -> Void) {
        question = (bytesMax, take)
        answer()
    }

    private func answer() {
        guard let question else { return }
        // Asked first: what was written before the end is read below.
        let mayGrow = follows && directory.exit == nil && Files.exists(directory.path)
        var (records, isAtEnd) = files.read(bytesMax: question.bytesMax)
        while records.isEmpty, !isAtEnd { (records, isAtEnd) = files.read(bytesMax: question.bytesMax) }
        if records.isEmpty, mayGrow {
            events.after(ms: 100) { [weak self] in self?.answer() }
            return
        }
        self.question = nil
        question.take(records.isEmpty ? nil : records)
    }
}

/// The reader's end.
package struct LogHandle: LogSession {
    private let id: Int

    /// - Parameter directory: path of the run directory.
    package init(directory: String, _ request: LogRequest) {
        let id = StreamThread.shared.nextID()
        self.id = id
        StreamThread.shared.run { $0.logs[id] = LogStream(RunDirectory(path: directory), request, $0.events) }
    }

    package func next(bytesMax: Int, _ take: @escaping @Sendable ([LogRecord]?) -> Void) {
        StreamThread.shared.run { [id] keeper in
            guard let stream = keeper.logs[id] else { return take(nil) }
            stream.next(bytesMax: bytesMax, take)
        }
    }

    package func close() { StreamThread.shared.run { [id] in $0.logs[id] = nil } }
}
