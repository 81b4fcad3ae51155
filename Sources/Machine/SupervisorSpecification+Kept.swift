import Glibc

extension Supervisor.Specification {
    private static let bytesMax = 8 << 20

    /// What the supervisor of an agent was asked for, without the filter of system calls; nil when it does not live any
    /// more, is of an earlier version, or may not be looked into.
    package init?(keptBy supervisor: Int32, _ start: UInt64) {
        let fd = open("/proc/\(supervisor)/fd/0", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var status = stat()
        guard ProcessTable.isAlive(supervisor, start), fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size > 0, status.st_size < Self.bytesMax
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        guard pread(fd, &bytes, bytes.count, 0) == bytes.count else { return nil }
        self.init(bytes)
    }

    /// Takes the strings apart; nil for anything that is not exactly the format.
    package init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes)
        guard reader.text() == "3" else { return nil }
        self.init(boot: reader.text(), directory: "", arguments: [], environment: [])
        store = reader.text()
        user = reader.number().flatMap { UInt32(exactly: $0) }
        group = reader.number().flatMap { UInt32(exactly: $0) }
        _ = reader.number()  // umask, which is always the same
        directory = reader.text()
        openFiles = reader.number()
        openFilesMost = reader.number()
        systemCalls = reader.text()
        let isConfined = reader.number() == 1
        let (readable, writable) = (reader.list(), reader.list())
        self.readable = isConfined ? readable : nil
        self.writable = writable
        logBytes = Int(reader.number() ?? 0)
        logFiles = Int(reader.number() ?? 0)
        stopSignal = Int32(truncatingIfNeeded: reader.number() ?? 0)
        graceMs = reader.number() ?? 0
        cgroups = reader.list()
        arguments = reader.list()
        environment = reader.list()
        guard reader.text() == "end", reader.isWhole else { return nil }
    }

    private struct Reader {
        private var strings: ArraySlice<ArraySlice<UInt8>>
        private var isBroken = false
        /// All was there, and nothing else.
        var isWhole: Bool { !isBroken && strings.isEmpty }

        init(_ bytes: [UInt8]) {
            strings = bytes.split(separator: 0, omittingEmptySubsequences: false)[...]
            // The last string ends with its zero byte, too.
            isBroken = strings.popLast()?.isEmpty != true
        }

        mutating func text() -> String {
            guard let bytes = strings.popFirst() else {
                isBroken = true
                return ""
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// Nil: -1, which leaves it as it is.
        mutating func number() -> Int64? {
            guard let number = Int64(text()), number >= -1 else {
                isBroken = true
                return nil
            }
            return number == -1 ? nil : number
        }

        mutating func list() -> [String] {
            guard let count = number(), count <= strings.count else {
                isBroken = true
                return []
            }
            return (0..<count).map { _ in text() }
        }
    }
}
