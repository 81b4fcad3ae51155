import Conformance
import Glibc
import Manifests
import Planner
import Reconciler
import Storage
import Testing
import Values

/// Rows that this program cannot have written: each is named, with its table and its key, and nothing takes its place.
@Suite struct DamageTests {
    private static let agent = ObjectKey(.agent, namespace: "default", name: "one")

    /// A change that SQL allows, and what is told of it.
    static let damages: [(sql: String, words: [String])] = [
        ("UPDATE objects SET status = json_remove(status, '$.phase')", ["table objects", "column status", "phase"]),
        ("UPDATE objects SET status = json_set(status, '$.isReady', 'yes')", ["column status", "isReady", "a string"]),
        ("UPDATE objects SET status = json_set(status, '$.readyReplicas', -1)", ["column status", "readyReplicas"]),
        (
            "UPDATE objects SET status = json_set(status, '$.conditions[0].reason', 'Ghost')",
            ["column status", "conditions[0].reason", "Ghost"]
        ),
        ("UPDATE objects SET status = '[]'", ["column status"]),
        ("UPDATE objects SET managers = json_remove(managers, '$[0].timeMs')", ["column managers", "timeMs"]),
        ("UPDATE objects SET managers = '[7]'", ["column managers"]),
        ("UPDATE objects SET content = '{}' WHERE kind = 'Agent'", ["column content", "spec"]),
        ("UPDATE objects SET own_user = -5 WHERE kind = 'Agent'", ["column own_user", "-5"]),
        ("UPDATE replicas SET last_exit = '{}'", ["table replicas", "column last_exit"]),
        ("UPDATE replicas SET attempt = 1, run = 'x' WHERE run IS NOT NULL", ["table replicas", "column run"]),
        ("DELETE FROM runs", ["table replicas", "is not in table runs"]),
        ("UPDATE runs SET start_by = '1:2:3'", ["table runs", "column start_by"]),
        ("UPDATE runs SET start_by = '1:2:3:x'", ["table runs", "column start_by"]),
        ("UPDATE runs SET inputs = '{\"Secret/a\":\"b\"}'", ["table runs", "column inputs", "Secret/a"]),
        ("UPDATE runs SET pid = 4294967296", ["table runs", "column pid", "4294967296"]),
        ("UPDATE runs SET facts = '{\"frozen\":1}'", ["table runs", "column facts", "frozen"]),
        ("UPDATE meta SET value = 'x' WHERE key = 'position'", ["table meta", "row position"]),
        ("UPDATE meta SET value = '-1' WHERE key = 'resource_version'", ["table meta", "row resource_version"]),
        ("INSERT INTO tombstones VALUES ('ghost')", ["table tombstones", "row ghost"]),
        ("DELETE FROM secrets", ["table secrets"]),
        ("UPDATE secrets SET sealed = zeroblob(40)", ["table secrets", "default/token"]),
        ("UPDATE objects SET created_ms = 1, name = CAST(x'6eff' AS TEXT) WHERE kind = 'Agent'", ["column name"]),
    ]

    @Test(arguments: damages) func aDamagedRowIsNamed(_ sql: String, _ words: [String]) throws {
        try inDirectory { directory in
            let path = "\(directory)/agentos.db"
            do {
                var clerk = try Clerk(SQLiteStore.open(path, freshID: "id", nowMs: 1))
                try clerk.note("default", "1")
                try clerk.apply(
                    ObjectKey(.secret, namespace: "default", name: "token"),
                    .map([("stringData", .map([("KEY", "value")]))]))
                try clerk.apply(Self.agent, .map([("spec", .map([("command", ["x"])]))]))
                try clerk.settle([.observed(driver: "process", [:], complete: true)])
                let uid = try #require(clerk.uid(Self.agent))
                let run = RunID(uid: uid, ordinal: 0, attempt: 1)
                try clerk.settle([.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true)]
                )
            }
            #expect(Outside.change(path, "PRAGMA foreign_keys=OFF; \(sql)"))
            do {
                _ = try SQLiteStore.open(path, freshID: "id", nowMs: 2).load()
                Issue.record("it was loaded")
            } catch let failure as StoreFailure {
                guard case .fatal(let told) = failure else {
                    Issue.record("\(failure)")
                    return
                }
                for word in words { #expect(told.contains(word), "\(told)") }
                #expect(told.contains("restore"), "\(told)")
            }
        }
    }
}
