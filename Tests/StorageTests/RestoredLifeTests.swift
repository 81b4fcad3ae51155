import Conformance
import Glibc
import Planner
import Reconciler
import Simulation
import Storage
import Testing
import Values

/// Lives of the simulation in which backups are restored, with the database beside the simulated store.
@Suite struct RestoredLifeTests {
    /// What the sink of a life holds, as a daemon reads its journal.
    private struct Log: EventLog {
        let events: [EventRecord]

        var end: Int64 { Int64(events.count) }
        var lastPosition: Int64 { events.map(\.position).max() ?? 0 }

        func offset(afterPosition position: Int64) -> Int64 { 0 }

        func read(from offset: Int64, limit: Int) -> [EventLine] {
            events.enumerated().dropFirst(Int(offset)).prefix(limit).map { place, event in
                EventLine(nextOffset: Int64(place) + 1, position: event.position, text: event.payload)
            }
        }
    }

    private final class Desk {
        let directory: String
        var store: SQLiteStore?
        private var restores: Int64 = 0

        var path: String { "\(directory)/agentos.db" }

        init(_ directory: String) throws {
            self.directory = directory
            try open([])
        }

        func open(_ events: [EventRecord]) throws {
            store = try SQLiteStore.open(path, freshID: "id", nowMs: 1, journal: Log(events: events))
        }

        /// What has gone wrong, in words.
        func problem(_ body: (SQLiteStore) throws -> Void) -> String? {
            do {
                guard let store else { return "it is closed" }
                try body(store)
                return nil
            } catch { return "\(error)" }
        }

        func backUp() -> String? {
            unlink("\(directory)/backup.db")
            return problem { try $0.backup(to: "\(directory)/backup.db") }
        }

        func takeOver(_ events: [EventRecord], isReadable: Bool) -> String? {
            store = nil
            restores += 1
            do {
                guard Outside.run(["cp", "\(directory)/backup.db", "\(directory)/restore.db"]) == 0 else { return "cp" }
                if !isReadable { Outside.overwrite(path, at: 0, [UInt8](repeating: 0xff, count: 4096)) }
                _ = try Restore.takeOver(
                    waiting: "\(directory)/restore.db", database: path, nowMs: someMoment.wallMs + restores,
                    journal: Log(events: events))
                try open(events)
                return nil
            } catch { return "\(error)" }
        }
    }

    /// Without what is made anew when it is loaded: deadlines of another boot, and when a parked event was made.
    private static func comparable(_ state: EngineState) -> EngineState {
        var state = state
        for (key, object) in state.objects {
            for (place, replica) in (object.agent?.replicas ?? []).enumerated() {
                guard case .starting(var run, let isSeen) = replica.phase else { continue }
                run.startBy = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
                state.objects[key]?.agent?.replicas[place].phase = .starting(run, seen: isSeen)
            }
        }
        for (name, cursor) in state.sinks {
            for uid in cursor.parked.keys { state.sinks[name]?.parked[uid]?.atMs = 0 }
        }
        return state
    }

    @Test func aRestoreMakesOfTheDatabaseWhatTheSimulationMakesOfItsStore() throws {
        var restores = 0
        for seed in UInt64(1)..<9 {
            try inDirectory { directory in
                let desk = try Desk(directory)
                let restoring = Shadow.Restoring {
                    desk.backUp()
                } takeOver: { events, isReadable in
                    desk.takeOver(events, isReadable: isReadable)
                }
                let commit = { changes in desk.problem { try $0.commit(changes) } }
                let compare = { (expected: EngineState) -> String? in
                    var difference: String?
                    return desk.problem {
                        difference = StoreConformance.difference(
                            Self.comparable(try $0.load()), Self.comparable(expected))
                    }
                        ?? difference
                }
                let shadow = Shadow(commit: commit, compare: compare, restoring: restoring)
                let result = simulate(seed: seed, shadow: shadow)
                #expect(result.violation == nil, "seed \(seed)")
                restores += result.restores
            }
        }
        #expect(restores > 3)
    }
}
