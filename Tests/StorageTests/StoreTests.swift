import Glibc
import Manifests
import Planner
import Reconciler
import Simulation
import Storage
import Testing
import Values

func namespaceRequest(_ name: String, id: Int = 1) -> Input {
    let apply = Request.Apply(
        key: ObjectKey(.namespace, namespace: "", name: name), node: .emptyMap, manager: "test", force: true,
        dryRun: false,
        source: "", freshUID: UID(high: 7, low: UInt64(id)))
    return .request(Request(id: id, principal: Principal(user: "test", via: .socket), verb: .apply(apply)))
}

let someMoment = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)

@Suite struct StoreTests {
    /// What is loaded after a crash is what was committed: the real store beside the simulated one.
    @Test(arguments: 1..<9) func theStoreHoldsWhatTheSimulatedOneHolds(_ seed: UInt64) throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            var store = try SQLiteStore.open(path, freshID: "id", nowMs: 1)
            let shadow = Shadow { changes in
                do {
                    try store.commit(changes)
                    return nil
                } catch {
                    return "\(error)"
                }
            } compare: { expected in
                do {
                    store = try SQLiteStore.open(path, freshID: "other", nowMs: 2)
                    return Self.difference(try store.load(), expected)
                } catch {
                    return "\(error)"
                }
            }
            #expect(simulate(seed: seed, shadow: shadow).violation == nil)
            #expect(store.storeID == "id")
        }
    }

    private static func difference(_ found: EngineState, _ expected: EngineState) -> String? {
        for key in Set(found.objects.keys).union(expected.objects.keys).sorted()
        where found.objects[key] != expected.objects[key] {
            guard let (a, b) = found.objects[key].flatMap({ a in expected.objects[key].map { (a, $0) } }) else {
                return "\(key) is not in both"
            }
            // The part that differs, not the whole.
            for (part, same) in [
                ("content", a.content == b.content), ("managers", a.managers == b.managers),
                ("deletion", a.deletion == b.deletion),
                ("version", a.resourceVersion == b.resourceVersion), ("status", a.agent?.summary == b.agent?.summary),
            ] where !same { return "\(key): \(part)" }
            return
                "\(key): \(String(describing: a.agent?.replicas)) is not \(String(describing: b.agent?.replicas)), \(String(describing: a.agent?.progressBy)) \(String(describing: b.agent?.progressBy))"
        }
        // Ledgers of objects that are gone and delivered are kept by the simulated store only.
        for (uid, ledger) in expected.ledgers
        where ledger.publishedSequence < ledger.lastSequence || found.ledgers[uid] != nil {
            if found.ledgers[uid] != ledger {
                return "ledger \(uid.hex): \(String(describing: found.ledgers[uid])) is not \(ledger)"
            }
        }
        if found.tombstones != expected.tombstones { return "tombstones" }
        if found.backlog != expected.backlog { return "backlog \(found.backlog) is not \(expected.backlog)" }
        return (found.resourceVersion, found.position) == (expected.resourceVersion, expected.position)
            ? nil : "numbers"
    }

    /// Promise 3: a transaction holds all of a change set or nothing.
    @Test func aCommitThatFailsLeavesNothing() throws {
        try inDirectory { directory in
            let store = try SQLiteStore.open("\(directory)/agentos.db", freshID: "id", nowMs: 1)
            var engine = Engine(state: try store.load(), settings: EngineSettings())
            var step = engine.step([namespaceRequest("default")], someMoment)
            // The same position twice breaks the last statements of the transaction.
            step.changes.events += step.changes.events
            #expect(throws: StoreFailure.self) { try store.commit(step.changes) }
            let state = try store.load()
            #expect(state.objects.isEmpty && state.position == 0 && state.backlog == 0)
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
            var engine = Engine(state: try store.load(), settings: EngineSettings())
            try store.commit(engine.step([namespaceRequest("default")], someMoment).changes)
            #expect(!Outside.change(path, "PRAGMA foreign_keys=ON; \(sql)"))
        }
    }

    @Test func aBackupIsConsistentAndCanBeRestored() throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            var engine = Engine(state: EngineState(), settings: EngineSettings())
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

    @Test func whatIsOldIsTrimmedAndWhatWaitsIsKept() throws {
        try inDirectory { directory in
            let store = try SQLiteStore.open("\(directory)/agentos.db", freshID: "id", nowMs: 1)
            var engine = Engine(state: try store.load(), settings: EngineSettings())
            for number in 1...3 {
                let step = engine.step([namespaceRequest("n\(number)", id: number)], someMoment)
                try store.commit(step.changes)
                engine.committed(step)
            }
            let first = try store.unpublished(limit: 1, excluding: [])[0]
            let verdict = DeliveryVerdict(position: first.position, uid: first.uid, sequence: first.sequence)
            try store.commit(engine.step([.delivered([verdict])], someMoment).changes)
            try store.trim(nowMs: someMoment.wallMs + Limits.retentionMs + 1)
            #expect(
                try store.outbox(position: nil, stuckOnly: false, limit: 10).compactMap { $0["position"]?.int } == [
                    3, 2,
                ])
        }
    }
}
