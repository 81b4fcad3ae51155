import CPages
import CSQLite
import Glibc
import Reconciler

/// One SQLite connection with cached statements; closed when the owner goes away.
struct Database: ~Copyable {
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    private init(handle: OpaquePointer) { self.handle = handle }

    /// What an opened file is for. Only `make` makes one that is not there.
    enum Purpose { case make, write, read }

    static func open(_ path: String, _ purpose: Purpose = .make) throws(StoreFailure) -> Database {
        try Pages.register()
        var handle: OpaquePointer?
        let access =
            switch purpose {
            case .make: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .write: SQLITE_OPEN_READWRITE
            case .read: SQLITE_OPEN_READONLY
            }
        let code = sqlite3_open_v2(path, &handle, access | SQLITE_OPEN_NOMUTEX, Pages.system)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(handle)
            throw .fatal("cannot open the database \(path): \(message)")
        }
        sqlite3_busy_timeout(handle, 5000)
        // Takes effect for a new file, and for a copy of an old one.
        var reserved = AGENTOS_PAGES_RESERVED
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved)
        return Database(handle: handle)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Runs one or more statements without parameters.
    func execute(_ sql: String) throws(StoreFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw failure(code, sql) }
    }

    /// Runs `body` as one transaction: all of it is durable when this returns, or nothing of it.
    mutating func transaction(_ body: (inout Database) throws(StoreFailure) -> Void) throws(StoreFailure) {
        try execute("BEGIN IMMEDIATE")
        do throws(StoreFailure) {
            try body(&self)
            try execute("COMMIT")
        } catch {
            try? execute("ROLLBACK")  // the first error is the one to report
            throw error
        }
    }

    /// Runs one statement with parameters and reads its rows.
    @discardableResult
    mutating func query<Row>(
        _ sql: String, _ values: [Bindable] = [], row: (borrowing RowReader) throws(StoreFailure) -> Row
    ) throws(StoreFailure) -> [Row] {
        let statement = try prepare(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() { bind(statement, Int32(index + 1), value) }
        var rows: [Row] = []
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return rows }
            guard code == SQLITE_ROW else { throw failure(code, sql) }
            rows.append(try row(RowReader(statement: statement)))
        }
    }

    mutating func run(_ sql: String, _ values: [Bindable] = []) throws(StoreFailure) {
        try query(sql, values) { _ in }
    }

    /// Whether pages are compared with their checksums.
    var comparesPages = true {
        didSet {
            var flag: Int32 = comparesPages ? 1 : 0
            sqlite3_file_control(handle, "main", Int32(AGENTOS_PAGES_COMPARE), &flag)
        }
    }

    /// Frames of the write-ahead log that are committed; in a transaction that has read.
    var committedFrames: Int { Int(agentos_pages_committed_frames(handle)) }

    private mutating func prepare(_ sql: String) throws(StoreFailure) -> OpaquePointer {
        if let cached = statements[sql] { return cached }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code, sql) }
        statements[sql] = statement
        return statement
    }

    private func bind(_ statement: OpaquePointer, _ index: Int32, _ value: Bindable) {
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .int(let number): sqlite3_bind_int64(statement, index, number)
        case .bytes(let bytes):
            _ = agentos_sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count))
        case .text(var text):
            text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { chars in
                    _ = agentos_sqlite3_bind_text(
                        statement, index, chars.baseAddress ?? UnsafePointer(bitPattern: 1), Int32(chars.count))
                }
            }
        }
    }

    private func failure(_ code: Int32, _ sql: String) -> StoreFailure {
        let message = String(cString: sqlite3_errmsg(handle))
        let words = "\(message) (SQLite code \(sqlite3_extended_errcode(handle)))"
        switch code & 0xff {
        case SQLITE_FULL: return noRoom(words)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_INTERRUPT: return .retry("\(words); try again")
        default:
            // A full disk also shows as an I/O error of a write.
            let extended = sqlite3_extended_errcode(handle)
            let writeErrors = [
                SQLITE_IOERR | (3 << 8), SQLITE_IOERR | (4 << 8), SQLITE_IOERR | (6 << 8), SQLITE_IOERR | (19 << 8),
            ]
            if writeErrors.contains(extended), [ENOSPC, EDQUOT].contains(sqlite3_system_errno(handle)) {
                return noRoom(words)
            }
            let page = Pages.takeDamaged().map { "page \($0) is not as it was written: " } ?? ""
            return .fatal("\(page)\(words) in: \(sql.prefix(120))")
        }
    }

    private func noRoom(_ words: String) -> StoreFailure {
        let path = sqlite3_db_filename(handle, "main").map { String(cString: $0) } ?? ""
        let place = DiskRoom(path)?.words ?? "the disk is full"
        return .retry("\(place); make room there, then try again: \(words)")
    }

    /// Copies the whole database into a new file while it is in use.
    func copy(to path: String) throws(StoreFailure) {
        try execute(
            "VACUUM INTO '\(path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'")
    }
}

enum Bindable {
    case null
    case int(Int64)
    case text(String)
    case bytes([UInt8])

    static func optional(_ value: Int64?) -> Bindable { value.map { .int($0) } ?? .null }
    static func optional(_ value: String?) -> Bindable { value.map { .text($0) } ?? .null }
}
