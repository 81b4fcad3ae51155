import Glibc
import Testing
import Values

/// The promises, checked on the world itself after its blows.
extension World {
    /// The first processes of runs: those whose parent is a supervisor or that lead a session and carry a run.
    package func liveRuns() -> [String: Set<String>] {
        var live: [String: Set<String>] = [:]
        for pid in World.processes() {
            let environment = World.environment(of: pid)
            guard environment.contains("HOME=\(state)/homes"), World.isAlive(pid) else { continue }
            guard let mark = environment.split(separator: "\0").first(where: { $0.hasPrefix("AGENTOS_RUN=") }) else {
                continue
            }
            let run = String(mark.dropFirst("AGENTOS_RUN=".count))
            live[String(run.dropLast(11)), default: []].insert(run)
        }
        return live
    }

    /// Promise 1.
    package func checkNoDoubles() {
        for (replica, runs) in liveRuns() where runs.count > 1 {
            // A run that ends leaves its tree for a moment; two whose agents both live are a violation.
            let living = runs.filter { run in
                let text = World.read("\(state)/runs/\(run)/process")
                let pid =
                    text.split(separator: "\n").first { $0.hasPrefix("pid ") }.flatMap { pid_t($0.dropFirst(4)) } ?? -1
                return World.isAlive(pid) && World.environment(of: pid).contains(run)
            }
            #expect(living.count <= 1, "\(replica) lives as \(living.sorted())")
        }
    }

    /// Promise 4: gapless and in order per object, at least once.
    package func checkEvents(ofAtLeast objects: Int) {
        var last: [String: Int] = [:]
        for event in events() {
            let uid = event[path: "object", "uid"]?.string ?? ""
            let sequence = event["sequence"]?.int ?? 0
            #expect(sequence <= (last[uid] ?? 0) + 1, "a gap before \(event["event_id"]?.string ?? "")")
            last[uid] = max(last[uid] ?? 0, sequence)
        }
        #expect(last.count >= objects)
    }

    /// Promise 3: each event has its audit entry, each ledger its events.
    package func checkRows() {
        let code = """
            import sqlite3, sys
            db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
            print(db.execute("select count(*) from outbox where position not in (select position from audit where position is not null)").fetchone()[0],
                  db.execute("select count(*) from ledgers l where last_sequence <> (select max(sequence) from outbox o where o.uid = l.uid)").fetchone()[0],
                  db.execute("select count(*) from (select uid from outbox group by uid having count(*) <> max(sequence))").fetchone()[0],
                  db.execute("pragma integrity_check").fetchone()[0])
            """
        let result = spawn(["python3", "-c", code, "\(state)/store/agentos.db"])
        #expect(result.output == "0 0 0 ok\n", "\(result.text)")
    }
}
