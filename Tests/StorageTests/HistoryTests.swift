import Testing

@testable import Storage

@Suite struct HistoryTests {
    /// However long the audit is, no more of it is read than what it tells of the object.
    @Test func theHistoryOfAnObjectIsFoundByItsName() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(Outside.databases(["searches", path, SQLiteStore.historyQuery]) == 0)
            let unsorted = SQLiteStore.historyQuery.replacing("a.id DESC", with: "a.at_ms DESC")
            #expect(Outside.databases(["searches", path, unsorted]) != 0)
        }
    }
}
