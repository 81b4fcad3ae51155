import CSQLite
import Reconciler

/// One row of a query, read strictly: a column that is empty or of another type than asked for is damage, and is told with
/// its table and the row's first column.
struct RowReader: ~Copyable {
    let statement: OpaquePointer

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    func int(_ column: Int32) throws(StoreFailure) -> Int64 {
        guard sqlite3_column_type(statement, column) == SQLITE_INTEGER else { throw mistyped(column) }
        return sqlite3_column_int64(statement, column)
    }

    func text(_ column: Int32) throws(StoreFailure) -> String {
        guard sqlite3_column_type(statement, column) == SQLITE_TEXT, let bytes = sqlite3_column_text(statement, column)
        else { throw mistyped(column) }
        let buffer = UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, column)))
        guard let text = String(validating: buffer, as: UTF8.self) else { throw damage(column, "it is no text") }
        return text
    }

    func bytes(_ column: Int32) throws(StoreFailure) -> [UInt8] {
        guard sqlite3_column_type(statement, column) == SQLITE_BLOB else { throw mistyped(column) }
        guard let bytes = sqlite3_column_blob(statement, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, column))))
    }

    func flag(_ column: Int32) throws(StoreFailure) -> Bool { try int(column) != 0 }

    /// A number that counts something.
    func count(_ column: Int32) throws(StoreFailure) -> Int {
        let number = try int(column)
        guard number >= 0 else { throw damage(column, "it is \(number)") }
        return Int(number)
    }

    func optionalInt(_ column: Int32) throws(StoreFailure) -> Int64? { isNull(column) ? nil : try int(column) }
    func optionalText(_ column: Int32) throws(StoreFailure) -> String? { isNull(column) ? nil : try text(column) }

    /// A value that a text stands for.
    func value<Value>(
        _ column: Int32, _ read: (String) throws(Damage) -> Value
    ) throws(StoreFailure) -> Value {
        let text = try text(column)
        do throws(Damage) { return try read(text) } catch { throw damage(column, error.words) }
    }

    func optional<Value>(
        _ column: Int32, _ read: (String) throws(Damage) -> Value
    ) throws(StoreFailure) -> Value? {
        isNull(column) ? nil : try value(column, read)
    }

    func optionalID<ID: FixedWidthInteger>(_ column: Int32) throws(StoreFailure) -> ID? {
        guard let number = try optionalInt(column) else { return nil }
        do throws(Damage) { return try Column.id(number) } catch { throw damage(column, error.words) }
    }

    /// The row cannot be what this program wrote.
    func damage(_ column: Int32, _ words: String) -> StoreFailure {
        let table = sqlite3_column_table_name(statement, column).map { String(cString: $0) } ?? "?"
        let name = sqlite3_column_name(statement, column).map { String(cString: $0) } ?? "?"
        let key = sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? ""
        return .damaged(table: table, row: key, "column \(name): \(words)")
    }

    private func mistyped(_ column: Int32) -> StoreFailure {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_NULL: damage(column, "it is empty")
        case SQLITE_INTEGER: damage(column, "it is a number")
        case SQLITE_TEXT: damage(column, "it is a text")
        case SQLITE_BLOB: damage(column, "it is bytes")
        default: damage(column, "it is of no known type")
        }
    }
}

extension StoreFailure {
    /// A row that cannot be trusted, and what to do about it.
    static func damaged(table: String, row: String, _ words: String) -> StoreFailure {
        .fatal(
            "the database is damaged: table \(table), row \(row), \(words); it was left as it is. "
                + "Restore a backup with 'agentos-apply restore FILE', or move the file away to start empty")
    }
}
