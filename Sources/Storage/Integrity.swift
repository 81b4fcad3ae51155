import Glibc
import Reconciler
import Values

/// Whether a database is as it was written: every page with its checksum, and what SQLite knows of its form.
///
/// A page that is not is told with the table that it belongs to and the rows about it.
enum Integrity {
    static func check(_ database: inout Database, _ path: String) throws(StoreFailure) {
        _ = Pages.takeDamaged()
        do throws(StoreFailure) {
            let words = try database.query("PRAGMA quick_check(1)") { row throws(StoreFailure) in try row.text(0) }
            if let page = Pages.takeDamaged() { throw .fatal(place(of: page, in: path)) }
            if words.first != "ok" { throw .fatal(words.first ?? "unreadable") }
        } catch {
            if let page = Pages.takeDamaged() { throw .fatal(place(of: page, in: path)) }
            throw error
        }
    }

    /// In words: the page, its table, and the rows around it.
    static func place(of page: Int64, in path: String) -> String {
        let words = "page \(page) is not as it was written"
        guard let table = try? table(of: page, in: path) else { return words }
        guard let rows = try? rows(of: table, in: path) else { return "\(words): table \(table)" }
        return "\(words): table \(table), \(rows)"
    }

    private static func table(of page: Int64, in path: String) throws(StoreFailure) -> String? {
        var database = try Database.open(path, .read)
        database.comparesPages = false
        return try database.query(
            """
            SELECT coalesce(known.tbl_name, pages.name) FROM dbstat AS pages
            LEFT JOIN sqlite_schema AS known ON known.name = pages.name WHERE pages.pageno = ?
            """, [.int(page)]
        ) { row throws(StoreFailure) in try row.text(0) }.first
    }

    /// The rows between which the table cannot be read.
    private static func rows(of table: String, in path: String) throws(StoreFailure) -> String {
        var database = try Database.open(path, .read)
        let keys = try database.query("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", [.text(table)])
        {
            row throws(StoreFailure) in "\"\(try row.text(0))\""
        }
        let key = keys.isEmpty ? "rowid" : keys.map { "CAST(\($0) AS TEXT)" }.joined(separator: " || ' ' || ")
        func last(_ order: String) -> String? {
            var last: String?
            let by = (keys.isEmpty ? ["rowid"] : keys).map { "\($0) \(order)" }.joined(separator: ", ")
            // It ends at the damaged page.
            _ = try? database.query("SELECT \(key) FROM \"\(table)\" ORDER BY \(by)") { row throws(StoreFailure) in
                last = try row.text(0)
            }
            _ = Pages.takeDamaged()
            return last
        }
        let (before, after) = (last("ASC"), last("DESC"))
        if before == nil, after == nil { return "all of its rows" }
        return "rows after \(before ?? "the first") and before \(after ?? "the last")"
    }
}
