import Glibc
import Manifests
import Messaging
import Planner
import Reconciler
import Simulation
import Storage
import Testing
import Values

/// The store, the journal and the engine of one directory: the same calls as the daemon makes, start included.
private struct Desk {
    let store: SQLiteStore
    let journal: Journal
    var engine: Engine
    var requests = 0

    init(_ directory: String) throws {
        mkdir("\(directory)/store", 0o700)
        journal = try Journal.open("\(directory)/journal")
        let path = "\(directory)/store/agentos.db"
        _ = try Restore.takeOver(
            waiting: "\(directory)/store/restore.db", database: path, nowMs: someMoment.wallMs, journal: journal)
        store = try SQLiteStore.open(path, freshID: "fresh", nowMs: 1, journal: journal)
        engine = Engine(state: try store.load(), settings: EngineSettings(drivers: .simulated))
    }

    mutating func apply(_ name: String, _ note: Int) throws {
        let node = Node.map([("metadata", .map([("annotations", .map([("note", .text(String(note)))]))]))])
        try apply(ObjectKey(.namespace, namespace: "", name: name), node)
    }

    mutating func apply(_ key: ObjectKey, _ node: Node) throws {
        requests += 1
        let apply = Request.Write.apply(
            key: key, node: node, manager: "test", force: true, dryRun: false, source: "",
            freshUID: UID(high: .random(in: 0 ... .max), low: 1))
        try take(.request(Request(id: requests, principal: Principal(user: "test", via: .socket), verb: .write(apply))))
    }

    mutating func take(_ input: Input) throws {
        let step = engine.step([input], someMoment)
        if !step.changes.isEmpty { try store.commit(step.changes) }
        engine.committed(step)
    }

    /// Delivers until nothing waits, or until it is plain that something always will.
    mutating func deliver() throws {
        for _ in 0..<5 where engine.state.backlog > 0 {
            try take(.delivered(try journal.append(try store.unpublished(limit: 100, excluding: []))))
        }
    }

    /// The ids of all delivered events, in their order.
    var delivered: [String] {
        journal.read(from: 0).compactMap { line in
            JSONReader.read(line.text).map { "\($0[path: "object", "name"]?.string ?? "") \($0["sequence"]?.int ?? 0)" }
        }
    }

    func backup(_ directory: String) throws { try store.backup(to: "\(directory)/store/restore.db") }
}

@Suite struct RestoreTests {
    /// The backup does not know that its last event was delivered since.
    @Test func aBackupWithItsLastEventUndeliveredDoesNotHoldUpWhatFollows() throws {
        try inDirectory { directory in
            var desk = try Desk(directory)
            try desk.apply("a", 1)
            try desk.backup(directory)
            try desk.deliver()
            desk = try Desk(directory)
            try desk.apply("a", 2)
            try desk.deliver()
            #expect(desk.engine.state.backlog == 0 && desk.delivered == ["a 1", "a 2"])
        }
    }

    @Test func whatTheReplacedDatabaseHadYetToDeliverIsDelivered() throws {
        try inDirectory { directory in
            var desk = try Desk(directory)
            try desk.apply("a", 1)
            try desk.backup(directory)
            try desk.apply("a", 2)
            try desk.apply("b", 1)
            desk = try Desk(directory)
            try desk.apply("a", 3)
            try desk.deliver()
            #expect(desk.engine.state.backlog == 0 && desk.delivered == ["a 1", "a 2", "b 1", "a 3"])
        }
    }

    /// A replica that the backup lacks is known by its number, and the next start by what it has to look at first.
    @Test func numbersOfReplicasThatTheBackupLacksAreNotUsedAgain() throws {
        let agent = ObjectKey(.agent, namespace: "default", name: "one")
        func spec(_ replicas: Int) -> Node {
            .map([("spec", .map([("command", ["x"]), ("replicas", .number(replicas))]))])
        }
        try inDirectory { directory in
            var desk = try Desk(directory)
            try desk.apply("default", 1)
            try desk.take(.observed(driver: "process", [:], complete: true))
            try desk.apply(agent, spec(1))
            #expect(!desk.engine.state.isRestored)
            try desk.backup(directory)
            try desk.apply(agent, spec(3))
            #expect(desk.engine.state.objects[agent]?.agent?.replicas.map(\.attempt) == [1, 1, 1])
            desk = try Desk(directory)
            let replicas = desk.engine.state.objects[agent]?.agent?.replicas ?? []
            #expect(
                replicas.map(\.attempt) == [1, 1, 1]
                    && replicas.dropFirst().allSatisfy { $0.phase == .stopped(.scaledDown) })
            #expect(desk.engine.state.isRestored)
            try desk.take(.observed(driver: "process", [:], complete: true))
            #expect(try !desk.engine.state.isRestored && !desk.store.load().isRestored)
            try desk.apply(agent, spec(3))
            #expect(desk.engine.state.objects[agent]?.agent?.replicas.map(\.attempt) == [1, 2, 2])
        }
    }

    @Test func aDamagedDatabaseIsReplacedAndTheJournalSaysWhatWasDelivered() throws {
        try inDirectory { directory in
            do {
                var desk = try Desk(directory)
                try desk.apply("a", 1)
                try desk.backup(directory)
                try desk.apply("a", 2)
                try desk.deliver()
                desk.store.finish()
            }
            Outside.overwrite("\(directory)/store/agentos.db", at: 0, [UInt8](repeating: 0xff, count: 4096))
            var desk = try Desk(directory)
            let position = desk.engine.state.position
            try desk.apply("a", 3)
            try desk.deliver()
            #expect(position >= 2 && desk.engine.state.backlog == 0 && desk.delivered == ["a 1", "a 2", "a 3"])
        }
    }

    @Test func whatAKilledRestoreHadBegunIsUndone() throws {
        try inDirectory { directory in
            var desk = try Desk(directory)
            try desk.apply("a", 1)
            try desk.backup(directory)
            #expect(Outside.databases(["tear", "\(directory)/store/restore.db"]) == 137)
            #expect(access("\(directory)/store/restore.db-journal", F_OK) == 0)
            desk = try Desk(directory)
            #expect(desk.engine.state.tombstones.isEmpty && desk.engine.state.objects.count == 1)
        }
    }

    /// A ledger that an earlier restore has left waiting for an event that is not there.
    @Test func aLedgerWaitsForNothingThatTheOutboxDoesNotHold() throws {
        try inDirectory { directory in
            do {
                var desk = try Desk(directory)
                try desk.apply("a", 1)
                try desk.deliver()
            }
            #expect(Outside.change("\(directory)/store/agentos.db", "UPDATE ledgers SET published_sequence = 0"))
            var desk = try Desk(directory)
            try desk.apply("a", 2)
            try desk.deliver()
            #expect(desk.engine.state.backlog == 0 && desk.delivered == ["a 1", "a 2"])
        }
    }
}

/// A database that has lost commits which were acted upon.
@Suite struct ContinuityTests {
    /// A flipped bit ends the write-ahead log early, as SQLite reads it, without a word.
    @Test(arguments: [(true, true), (false, true), (false, false)])
    func aDamagedWriteAheadLogIsNoticed(_ wasDelivered: Bool, _ wasCheckpointed: Bool) throws {
        try inDirectory { directory in
            let copy = "\(directory)/copy"
            do {
                var desk = try Desk(directory)
                try desk.apply("a", 0)
                try desk.deliver()
                if wasCheckpointed { desk.store.finish() }
                for note in 1...5 { try desk.apply("a", note) }
                if wasDelivered { try desk.deliver() }
                // The files as a killed daemon leaves them.
                #expect(Outside.run(["cp", "-r", directory, "\(directory).copy"]) == 0)
                #expect(rename("\(directory).copy", copy) == 0)
            }
            Outside.overwrite("\(copy)/store/agentos.db-wal", at: 100, [0x55, 0xaa])
            // The journal is witness enough.
            if wasDelivered { unlink("\(copy)/store/committed") }
            do {
                _ = try Desk(copy)
                Issue.record("a database that has lost commits was opened")
            } catch {
                #expect("\(error)".contains("events up to 6 were committed"), "\(error)")
            }
            // Somebody accepts the loss: no id is used again.
            close(open("\(copy)/store/accept-loss", O_WRONLY | O_CREAT, 0o600))
            var desk = try Desk(copy)
            #expect(desk.engine.state.position >= 6 && access("\(copy)/store/accept-loss", F_OK) != 0)
            try desk.apply("a", 6)
            try desk.deliver()
            let ids = desk.journal.read(from: 0).map { JSONReader.read($0.text)?["event_id"]?.string ?? "" }
            #expect(Set(ids).count == ids.count && ids.count == (wasDelivered ? 7 : 2))
            desk = try Desk(copy)
        }
    }

    @Test func aNewDatabaseGoesOnAfterTheJournal() throws {
        try inDirectory { directory in
            do {
                var desk = try Desk(directory)
                for note in 1...3 { try desk.apply("a", note) }
                try desk.deliver()
            }
            for name in ["agentos.db", "agentos.db-wal", "agentos.db-shm"] { unlink("\(directory)/store/\(name)") }
            var desk = try Desk(directory)
            #expect(desk.engine.state.position == 3 && desk.engine.state.objects.isEmpty)
            try desk.apply("b", 1)
            try desk.deliver()
            #expect(desk.journal.read(from: 0).map(\.position) == [1, 2, 3, 4])
        }
    }
}
