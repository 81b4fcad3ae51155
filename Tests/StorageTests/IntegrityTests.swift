import Conformance
import Glibc
import Manifests
import Planner
import Reconciler
import Simulation
import Storage
import Testing
import Values

/// Bits that have flipped in the files of a database: found, told, or without any meaning.
@Suite struct IntegrityTests {
    private func fill(_ path: String) throws -> EngineState {
        var clerk = try Clerk(SQLiteStore.open(path, freshID: "id", nowMs: 1))
        for number in 0..<40 { try clerk.note("namespace-\(number)", String(repeating: "note \(number) ", count: 30)) }
        try clerk.deliver(to: Acceptor())
        clerk.store.finish()
        return clerk.engine.state
    }

    private func problem(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch { return (error as? StoreFailure)?.words ?? "\(error)" }
    }

    @Test func aFlippedBitOfTheMainFileIsFoundOrMeansNothing() throws {
        try inDirectory { directory in
            let (path, spoilt) = ("\(directory)/agentos.db", "\(directory)/spoilt")
            let expected = try fill(path)
            let size = try #require(Outside.size(path))
            var random = SeededRandom(seed: 48)
            var found = 0
            for _ in 0..<80 {
                let offset = Int(random.next() % UInt64(size))
                mkdir(spoilt, 0o700)
                for name in ["agentos.db", "committed", "secrets.key"] {
                    #expect(Outside.run(["cp", "-p", "\(directory)/\(name)", "\(spoilt)/\(name)"]) == 0)
                }
                Outside.flip("\(spoilt)/agentos.db", at: offset, bit: Int(random.next() % 8))
                let told = problem {
                    let state = try SQLiteStore.open("\(spoilt)/agentos.db", freshID: "id", nowMs: 2).load()
                    #expect(StoreConformance.difference(state, expected) == nil, "at \(offset)")
                }
                if let told {
                    found += 1
                    #expect(told.contains("damaged") || told.contains("database"), "at \(offset): \(told)")
                    #expect(told.contains("restore"), "at \(offset): \(told)")
                }
                #expect(Outside.run(["rm", "-rf", spoilt]) == 0)
            }
            #expect(found > 60, "only \(found) of 80 were found; free pages cannot be that many")
        }
    }

    /// The value of a row, where SQLite itself has nothing to object.
    @Test func aFlippedBitIsToldWithItsTableAndRows() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try fill(path)
            let offset = try #require(Outside.find("\"name\":\"namespace-20\"", in: path))
            Outside.flip(path, at: offset + 9, bit: 1)
            let told = try #require(problem { _ = try SQLiteStore.open(path, freshID: "id", nowMs: 2) })
            #expect(told.contains("table ") && told.contains("rows after") && told.contains("before "), "\(told)")
            #expect(told.contains("page \(offset / 4096 + 1)"), "\(told)")
        }
    }

    /// SQLite's locks are those of the process: they go with any descriptor of the file that it closes. Whoever looks then
    /// takes himself for the last, and takes the log away that commits go to.
    @Test func othersWhoLookTakeNoCommitsAlong() throws {
        try inDirectory { directory in
            let (path, copy) = ("\(directory)/agentos.db", "\(directory)/copy")
            let store = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            var clerk = try Clerk(store)
            try clerk.note("one", "1")
            try store.scrub()
            let look =
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM meta').fetchall(); c.close()"
            #expect(Outside.run(["python3", "-c", look, path]) == 0)
            try clerk.note("two", "2")
            // As after a SIGKILL.
            mkdir(copy, 0o700)
            for name in ["agentos.db", "agentos.db-wal", "committed", "secrets.key"] {
                #expect(Outside.run(["cp", "-p", "\(directory)/\(name)", "\(copy)/\(name)"]) == 0)
            }
            let found = try SQLiteStore.open("\(copy)/agentos.db", freshID: "id", nowMs: 2).load()
            #expect(StoreConformance.difference(found, clerk.engine.state) == nil)
        }
    }

    @Test func aScrubFindsWhatFlipsWhileTheStoreIsOpen() throws {
        for isInLog in [true, false] {
            try inDirectory { directory in
                let path = "\(directory)/agentos.db"
                _ = try fill(path)
                var clerk = try Clerk(SQLiteStore.open(path, freshID: "id", nowMs: 2))
                for number in 0..<20 { try clerk.note("late", "change \(number)") }
                try clerk.store.scrub()
                let file = isInLog ? "\(path)-wal" : path
                let offset =
                    isInLog
                    ? 32 + 24 + 4096 * 3 + 100 : try #require(Outside.find("\"name\":\"namespace-20\"", in: path)) + 9
                Outside.flip(file, at: offset, bit: 3)
                let told = try #require(problem { try clerk.store.scrub() }, "\(file)")
                #expect(told.contains("is not as it was written") && told.contains("restore"), "\(told)")
            }
        }
    }

    /// The checksums are those of this program: a change by another is told as damage.
    @Test func whoeverWritesBesideUsIsFound() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try fill(path)
            #expect(Outside.change(path, "UPDATE objects SET generation = 7", seals: false))
            #expect(problem { _ = try SQLiteStore.open(path, freshID: "id", nowMs: 2) }?.contains("damaged") == true)
        }
    }

    /// A database without checksums gets them, whatever it holds; a crash in between leaves the old one.
    @Test func anOldDatabaseGetsChecksums() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            #expect(Outside.databases(["load", path, "\(Outside.schemas)/version-4.sql"]) == 0)
            close(open("\(path).checked", O_WRONLY | O_CREAT, 0o600))
            let before = try SQLiteStore.open(path, freshID: "id", nowMs: 2).load()
            #expect(Outside.databases(["sealed", path]) == 0)
            #expect(access("\(path).checked", F_OK) != 0)
            #expect(
                try StoreConformance.difference(SQLiteStore.open(path, freshID: "id", nowMs: 2).load(), before) == nil)
        }
    }
}
