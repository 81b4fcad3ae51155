import Conformance
import Glibc
import Manifests
import Planner
import Reconciler
import Simulation
import Storage
import Testing
import Values

func namespaceRequest(_ name: String, id: Int = 1) -> Input {
    let apply = Request.Write.apply(
        key: ObjectKey(.namespace, namespace: "", name: name), node: .emptyMap, manager: "test", force: true,
        dryRun: false,
        source: "", freshUID: UID(high: 7, low: UInt64(id)))
    return .request(Request(id: id, principal: Principal(user: "test", via: .socket), verb: .write(apply)))
}

let someMoment = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)

@Suite struct StoreTests {
    @Test(arguments: StoreConformance.Check.allCases) func everyStorePassesTheSuite(_ check: StoreConformance.Check)
        throws
    {
        try inDirectory { directory in
            try StoreConformance { try SQLiteStore.open("\(directory)/agentos.db", freshID: "id", nowMs: 1) }.run(check)
        }
        let simulated = SharedSimulatedStore()
        try StoreConformance { simulated }.run(check)
    }

    @Test func theIdOfADatabaseStays() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(try SQLiteStore.open(path, freshID: "other", nowMs: 2).storeID == "id")
        }
    }

    @Test func aNewerDatabaseIsRefused() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(Outside.change(path, "INSERT INTO migrations VALUES (999, 'later', 'x', 1)"))
            do {
                _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
                Issue.record("it was opened")
            } catch {
                #expect("\(error)".contains("version 999, newer"))
            }
            #expect(SQLiteStore.refusal(of: path)?.contains("version 999, newer") == true)
        }
    }

    @Test func aForeignMigrationIsRefused() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            _ = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            #expect(Outside.change(path, "UPDATE migrations SET checksum = 'x'"))
            #expect(throws: StoreFailure.self) { try SQLiteStore.open(path, freshID: "id", nowMs: 1) }
        }
    }

    /// SQL itself refuses rows that cannot be.
    @Test(arguments: [
        "INSERT INTO replicas VALUES ('00000000000000070000000000000001', 0, 0, 0, 0, 'Ready', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "INSERT INTO replicas VALUES ('00000000000000070000000000000001', 0, 0, 0, 0, 'Flying', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "INSERT INTO replicas VALUES ('unknown', 0, 0, 0, 0, 'Created', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "UPDATE objects SET generation = 0", "UPDATE objects SET content = 'no json'",
        "UPDATE objects SET revision = 1",
        "UPDATE outbox SET state = 'Lost'", "UPDATE objects SET generation = 'one'",
    ])
    func impossibleRowsAreRefused(_ sql: String) throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            let store = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            var engine = Engine(state: try store.load(), settings: EngineSettings(drivers: .simulated))
            try store.commit(engine.step([namespaceRequest("default")], someMoment).changes)
            #expect(!Outside.change(path, "PRAGMA foreign_keys=ON; \(sql)"))
        }
    }

    @Test func aBackupIsConsistentAndCanBeRestored() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            var engine = Engine(state: EngineState(), settings: EngineSettings(drivers: .simulated))
            do {
                let store = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
                for (id, name) in ["early", "late"].enumerated() {
                    let step = engine.step([namespaceRequest(name, id: id)], someMoment)
                    try store.commit(step.changes)
                    engine.committed(step)
                    if id == 0 { try store.backup(to: "\(directory)/restore.db") }
                }
                store.finish()
            }
            #expect(
                try Restore.takeOver(waiting: "\(directory)/restore.db", database: path, nowMs: 5)
                    == "\(path).replaced-5")
            let state = try SQLiteStore.open(path, freshID: "other", nowMs: 1).load()
            #expect(state.objects.keys.map(\.name) == ["early"])
            // No number is given out twice.
            #expect(state.position >= engine.state.position && state.resourceVersion > engine.state.resourceVersion)
        }
    }

    @Test func replacedDatabasesAreKeptUpToALimit() throws {
        try inDirectory { directory in
            let (path, waiting) = ("\(directory)/agentos.db", "\(directory)/restore.db")
            for round in 1...5 {
                do { try SQLiteStore.open(path, freshID: "id", nowMs: 1).backup(to: waiting) }
                _ = try Restore.takeOver(waiting: waiting, database: path, nowMs: someMoment.wallMs + Int64(round))
            }
            let kept = (1...5).filter { access("\(path).replaced-\(someMoment.wallMs + Int64($0))", F_OK) == 0 }
            #expect(kept == Array((6 - Limits.backupsMax)...5))
        }
    }

    @Test func aDamagedBackupIsNotRestored() {
        inDirectory { directory in
            let waiting = "\(directory)/restore.db"
            let fd = open(waiting, O_WRONLY | O_CREAT, 0o600)
            _ = write(fd, "garbage", 7)
            close(fd)
            #expect(Restore.problem(with: waiting) != nil)
            #expect(throws: StoreFailure.self) {
                try Restore.takeOver(waiting: waiting, database: "\(directory)/agentos.db", nowMs: 5)
            }
        }
    }
}
