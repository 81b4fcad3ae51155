import Conformance
import Glibc
import Manifests
import Planner
import Reconciler
import Storage
import Testing
import Values

/// The values of Secrets: sealed in the database, and nowhere else.
@Suite struct SecretTests {
    private static let token = ObjectKey(.secret, namespace: "default", name: "token")
    private static let value = "swordfish-in-the-moat"
    /// The value and how it stands in a manifest.
    private static let needles = [value, "c3dvcmRmaXNoLWluLXRoZS1tb2F0"]

    private func database(_ directory: String) -> String { "\(directory)/store/agentos.db" }

    private func open(_ directory: String) throws -> SQLiteStore {
        mkdir("\(directory)/store", 0o700)
        return try SQLiteStore.open(
            database(directory), freshID: "id", nowMs: 1, keyring: SecretKeyFile("\(directory)/secrets.key"))
    }

    private func set(_ clerk: inout Clerk, _ key: ObjectKey, _ value: String) throws {
        try clerk.note("default", "\(clerk.engine.state.position)")
        try clerk.apply(key, .map([("stringData", .map([("KEY", .text(value))]))]))
    }

    private func value(_ store: SQLiteStore, _ key: ObjectKey = token) throws -> String? {
        let text = try store.load().objects[key]?.content[path: "data", "KEY"]?.string
        return text.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
    }

    private func files(_ directory: String, holding words: [String]) -> [String] {
        words.filter { Outside.run(["grep", "-rqF", $0, directory], quiet: true) == 0 }
    }

    private func problem(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "none"
        } catch { return (error as? StoreFailure)?.words ?? "\(error)" }
    }

    @Test func noFileHoldsAValueInPlain() throws {
        try inDirectory { directory in
            do {
                var clerk = try Clerk(open(directory))
                try set(&clerk, Self.token, Self.value)
                try set(&clerk, Self.token, "another value")
                try set(&clerk, Self.token, Self.value)
                #expect(files(directory, holding: Self.needles).isEmpty)
                try clerk.store.backup(to: "\(directory)/copy.db")
                #expect(files(directory, holding: Self.needles).isEmpty)
                try clerk.delete(Self.token)
            }
            let store = try open(directory)
            store.finish()
            #expect(files(directory, holding: Self.needles).isEmpty)
        }
    }

    /// Databases of earlier versions, with copies of them that were kept.
    @Test(arguments: 1...4) func valuesThatStoodInPlainAreSealedAndOverwritten(_ version: Int) throws {
        try inDirectory { directory in
            mkdir("\(directory)/store", 0o700)
            let path = database(directory)
            for copy in [path, "\(path).replaced-5", "\(path).before-4"] {
                #expect(Outside.databases(["load", copy, "\(Outside.schemas)/version-\(version).sql"]) == 0)
            }
            let needles = ["swordfish", "c3dvcmRmaXNo"]
            #expect(!files(directory, holding: needles).isEmpty)
            do {
                let store = try open(directory)
                let key = ObjectKey(.secret, namespace: "default", name: "token")
                #expect(try value(store, key) == "swordfish")
                #expect(files(directory, holding: needles).isEmpty)
            }
            // What a restore had replaced can still be gone back to.
            #expect(rename("\(path).replaced-5", "\(directory)/store/restore.db") == 0)
            _ = try Restore.takeOver(waiting: "\(directory)/store/restore.db", database: path, nowMs: 9)
            #expect(try value(open(directory), ObjectKey(.secret, namespace: "default", name: "token")) == "swordfish")
        }
    }

    /// A sealed value opens for its own object alone.
    @Test func aValueOfAnotherObjectIsDamage() throws {
        try inDirectory { directory in
            do {
                var clerk = try Clerk(open(directory))
                try set(&clerk, Self.token, "one")
                try set(&clerk, ObjectKey(.secret, namespace: "default", name: "other"), "two")
            }
            #expect(
                Outside.change(
                    database(directory), "UPDATE secrets SET sealed = (SELECT sealed FROM secrets ORDER BY uid LIMIT 1)"
                ))
            let told = problem { _ = try open(directory).load() }
            #expect(told.contains("cannot be opened") && told.contains("default/"), "\(told)")
        }
    }

    @Test func aLostKeyIsNamedAndLosesNothingElse() throws {
        try inDirectory { directory in
            let (key, away) = ("\(directory)/secrets.key", "\(directory)/away")
            do {
                var clerk = try Clerk(open(directory))
                try set(&clerk, Self.token, Self.value)
            }
            #expect(rename(key, away) == 0)
            var told = problem { _ = try open(directory).load() }
            #expect(told.contains("default/token") && told.contains(key) && told.contains("put it back"), "\(told)")
            #expect(access(key, F_OK) != 0, "no other key is made in its place")
            // Another key, as of another machine.
            #expect(Outside.run(["sh", "-c", "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > '\(key)'"]) == 0)
            chmod(key, 0o600)
            told = problem { _ = try open(directory).load() }
            #expect(told.contains("default/token") && told.contains("is not in \(key)"), "\(told)")
            #expect(rename(away, key) == 0)
            #expect(try value(open(directory)) == Self.value)
            // It is gone for good, and somebody says so.
            unlink(key)
            #expect(Outside.run(["sh", "-c", "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > '\(key)'"]) == 0)
            chmod(key, 0o600)
            close(Glibc.open("\(directory)/store/forget-secrets", O_WRONLY | O_CREAT, 0o600))
            let store = try open(directory)
            #expect(try value(store) == nil && store.load().objects.count == 2)
            #expect(access("\(directory)/store/forget-secrets", F_OK) != 0)
            var clerk = try Clerk(store)
            try set(&clerk, Self.token, "fresh")
            #expect(try value(store) == "fresh")
        }
    }

    @Test func aKeyFileIsForItsOwnerAlone() throws {
        try inDirectory { directory in
            let key = "\(directory)/secrets.key"
            do { _ = try open(directory) }
            var status = stat()
            #expect(stat(key, &status) == 0 && status.st_mode & 0o777 == 0o600)
            chmod(key, 0o640)
            #expect(problem { _ = try open(directory) }.contains("chmod 600"))
            unlink(key)
            mkfifo(key, 0o600)
            #expect(problem { _ = try open(directory) }.contains("no regular file"))
            unlink(key)
            close(Glibc.open(key, O_WRONLY | O_CREAT, 0o600))
            #expect(problem { _ = try open(directory) }.contains("does not hold keys"))
        }
    }

    /// A rotation that is killed after any of its steps leaves every value readable, and is finished later.
    @Test func aRotationSurvivesACrashAtAnyStep() throws {
        try inDirectory { directory in
            let names = (0..<7).map { ObjectKey(.secret, namespace: "default", name: "s\($0)") }
            var store = try open(directory)
            var clerk = try Clerk(store)
            for name in names { try set(&clerk, name, Self.value) }
            try store.backup(to: "\(directory)/copy.db")
            let first = store.keys.current
            func check() throws {
                store = try open(directory)
                for name in names { #expect(try value(store, name) == Self.value) }
            }
            let keys = try SecretKeyFile("\(directory)/secrets.key").renew(after: first)
            #expect(keys.current != first && keys.older == [first])
            try check()
            var left = names.count
            while left > 0 {
                let before = left
                left = try store.reseal(with: store.keys, limit: 2)
                #expect(left == max(0, before - 2))
                try check()
            }
            // The old key opens nothing of the database any more, and is kept for older backups.
            store.finish()
            unlink("\(directory)/secrets.key.\(first.id)")
            try check()
            let ring = SecretKeyFile("\(directory)/secrets.key")
            let told = Restore.problem(with: "\(directory)/copy.db", ring)
            #expect(told?.contains(first.id) == true, "\(told ?? "")")
            close(Glibc.open("\(directory)/secrets.key.\(first.id)", O_WRONLY | O_CREAT, 0o600))
            #expect(
                Outside.run(["sh", "-c", "echo \(first.hex) > '\(directory)/secrets.key.\(first.id)'"]) == 0)
            #expect(Restore.problem(with: "\(directory)/copy.db", ring) == nil)
        }
    }
}
