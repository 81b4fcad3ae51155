import Glibc
import Manifests
import Planner
import Reconciler
import Storage
import Testing
import Values

/// Databases as each released version has left them, in `Schemas`: one of version 3 made by its program, what older
/// versions would have held of the same (reduced by a script), and what the next steps have made of it (`databases.py
/// advance`); with rows in every table and delivery in each of its states. Secrets are sealed with the key beside them.
@Suite struct MigrationTests {
    private static let versions = 1...8

    @Test(arguments: versions) func aDatabaseOfEachVersionIsUpgradedWithAllItsRows(_ version: Int) throws {
        try inDirectory { directory in
            let (old, path) = ("\(directory)/old.db", "\(directory)/agentos.db")
            for database in [old, path] {
                #expect(python("load", database, "\(Outside.schemas)/version-\(version).sql") == 0)
            }
            let keys = ["install", "-m", "600", "\(Outside.schemas)/secrets.key", "\(directory)/secrets.key"]
            #expect(Outside.run(keys) == 0)
            let store = try SQLiteStore.open(path, freshID: "other", nowMs: 1)
            let state = try store.load()
            #expect(state.objects.count == (version < 3 ? 7 : 8) && state.backlog == 3)
            #expect(python("compare", old, path) == 0, "a row was lost or changed, or the result is not sound")
            let token = ObjectKey(.secret, namespace: "default", name: "token")
            #expect(state.objects[token]?.content[path: "data", "KEY"]?.string == "c3dvcmRmaXNo")
            // Of each agent the revision is known that it has.
            for object in state.objects.values {
                guard let agent = object.agent else { continue }
                let kept = try store.revisions(of: [object.uid])
                #expect(kept.map(\.number) == [agent.revision], "\(object.key)")
                #expect(kept.first?.template == AgentSpec.template(of: agent.effective.node), "\(object.key)")
            }
            // A copy from before, of pages without checksums, may hold Secrets in plain.
            #expect(access("\(path).before-\(version + 1)", F_OK) != 0)
            #expect(python("sealed", path) == 0)
            #expect(try SQLiteStore.open(path, freshID: "other", nowMs: 1).storeID == store.storeID)
        }
    }

    /// From where Secrets are sealed, so that it gives nothing away.
    @Test func aCopyFromBeforeAnUpgradeIsKept() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            let older = "DROP TABLE measurements; DROP TABLE revisions; DELETE FROM migrations WHERE number >= 8"
            #expect(Outside.change(path, older))
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 2)
            #expect(python("version", "\(path).before-8", "7") == 0)
            #expect(python("sealed", "\(path).before-8") == 0)
        }
    }

    @Test func everyReleasedVersionIsThere() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(python("version", path, String(Self.versions.upperBound + 1)) == 0)
        }
    }

    /// Gate 1: databases keep the checksum of each step that they went through, and refuse a program with another.
    /// AGENTOS_WRITE_DOCUMENTS=1 adds the line of a step that is new; a line that is there stays.
    @Test func everyReleasedStepIsAsItWasReleased() throws {
        try inDirectory { directory in
            let (path, file) = ("\(directory)/agentos.db", "\(Outside.schemas)/checksums")
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            let mode = getenv("AGENTOS_WRITE_DOCUMENTS") == nil ? "compare" : "add"
            #expect(
                python("checksums", path, file, mode) == 0,
                """
                a step of Sources/Storage/Migrations.swift is not as it was released, or is new. Take the edit back and write \
                a further step; only what no release has is added to Tests/StorageTests/Schemas/checksums
                """)
        }
    }

    /// What SQL holds of a kind, by the row that describes it.
    @Test(arguments: [
        "UPDATE objects SET kind = 'Ghost'", "UPDATE objects SET namespace = 'x'", "UPDATE objects SET revision = 1",
        "DELETE FROM kinds WHERE name = 'Namespace'",
    ])
    func anObjectIsOfAKindThatSQLKnows(_ sql: String) throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            #expect(python("load", path, "\(Outside.schemas)/version-3.sql") == 0)
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(
                !Outside.change(
                    path, "PRAGMA foreign_keys=ON; \(sql) \(sql.hasPrefix("U") ? "WHERE kind = 'Namespace'" : "")"))
        }
    }

    private func python(_ words: String...) -> Int32 { Outside.databases(words) }
}
