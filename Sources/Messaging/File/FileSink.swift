import CLinux
import Glibc
import Machine
public import Reconciler
import Synchronization
import Values

/// A sink that appends events to a file, as CloudEvents, one on a line, with one fsync per batch.
///
/// Flow: heal the file (somebody may have moved it), begin a new one when it is full or old, write what is not in it yet,
/// sync, confirm.
/// Guarantee: what is confirmed is on the disk, whole and in order; no event stands twice in one file, because what was
/// written last is known, also after a crash; a torn last line is cut off when the file is opened.
/// Assumes: nobody else writes into the file; another daemon that tries is told.
public final class FileSink: EventSink, Sendable {
    private struct State {
        var file: EventFile?
        var recent = RecentEvents()
    }

    private let settings: FileSettings
    private let source: [UInt8]
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameter report: is told, in words, what was done to the files beside writing; called on the thread of `append`.
    public init(_ settings: FileSettings, report: @escaping @Sendable (String) -> Void = { _ in }) {
        self.settings = settings
        source = CloudEvent.quoted(settings.source)
        self.report = report
    }

    public func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        if events.isEmpty { return [] }
        let result: Result<[DeliveryVerdict], SinkFailure> = state.withLock { state in
            do throws(Files.Failure) {
                return .success(try write(events, &state))
            } catch {
                // The file is opened anew, and what is left of the batch cut off or known by then.
                state.file = nil
                return .failure(.lost("the file sink: \(error.words)"))
            }
        }
        return try result.get()
    }

    private func write(_ events: [EventRecord], _ state: inout State) throws(Files.Failure) -> [DeliveryVerdict] {
        var file: EventFile
        if let open = state.file, open.isStill(at: settings.path) {
            file = open
        } else {
            state.file = nil
            file = try open(&state.recent)
        }
        state.file = nil
        var bytes: [UInt8] = []
        let fresh = events.filter { !state.recent.contains($0) }
        for event in fresh {
            CloudEvent.append(event, source: source, to: &bytes)
            bytes.append(0x0a)
        }
        let isOld = file.beganMs.map { agentos_wall_ms() - $0 >= settings.fileAgeMs } ?? false
        if file.bytes > 0, !bytes.isEmpty, isOld || file.bytes + Int64(bytes.count) > settings.fileBytes {
            try file.retire(as: RetiredFiles(settings.path).next())
            RetiredFiles(settings.path).keep(settings.files - 1, report)
            file = try open(&state.recent)
        }
        if !bytes.isEmpty {
            try file.append(bytes)
            for event in fresh { state.recent.insert(event) }
        }
        state.file = file
        return events.map { DeliveryVerdict($0) }
    }

    private func open(_ recent: inout RecentEvents) throws(Files.Failure) -> EventFile {
        let (file, ids) = try EventFile.open(
            settings.path, mode: settings.modeBits, notBeforeMs: RetiredFiles(settings.path).lastMs, report)
        for id in ids { recent.insert(id) }
        return file
    }
}

/// The files that nobody writes to any more, beside the one that is written to.
struct RetiredFiles {
    private let path: String
    /// The numbers behind the name, in the order in which they were given.
    let numbers: [Int64]

    init(_ path: String) {
        self.path = path
        let name = "\(path.split(separator: "/").last ?? "")."
        numbers = Files.names(in: Files.directory(of: path)).compactMap {
            $0.hasPrefix(name) ? WholeNumber.read($0.dropFirst(name.count), in: 1...99_999_999) : nil
        }.sorted()
    }

    /// A name that no file has had since the oldest that is there.
    func next() -> String { name((numbers.last ?? 0) + 1) }

    /// When the newest was written last; 0 without one.
    var lastMs: Int64 {
        var status = stat()
        guard let number = numbers.last, stat(name(number), &status) == 0 else { return 0 }
        return Int64(status.st_mtim.tv_sec).multipliedSaturated(by: 1000)
    }

    private func name(_ number: Int64) -> String {
        let digits = String(number)
        return "\(path).\(String(repeating: "0", count: max(0, 8 - digits.utf8.count)))\(digits)"
    }

    /// Removes the oldest.
    func keep(_ count: Int, _ report: (String) -> Void) {
        for number in numbers.dropLast(count) where unlink(name(number)) != 0 {
            report("\(name(number)) cannot be removed: \(String(cString: strerror(errno)))")
        }
    }
}
