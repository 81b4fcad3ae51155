import Manifests
import Planner
import Reconciler
import Values

/// The directory of a simulated Source: which agents it declares, in which version; and how badly it can be read.
struct SimulatedDirectory {
    let source: ObjectKey
    static let names = (0..<6).map { "managed-\($0)" }

    private(set) var files: [String: Int] = [:]
    /// Names that were absent at some moment after they had been there.
    private(set) var removed: Set<String> = []
    private var changes = 0

    init(_ name: String) { source = ObjectKey(.source, namespace: "default", name: name) }

    /// Changes some of its files, but none that lies in another directory.
    mutating func change(_ random: inout SeededRandom, besides taken: Set<String>) {
        changes += 1
        let names = Self.names.filter { !taken.contains($0) }
        guard !names.isEmpty else { return }
        switch random.below(4) {
        case 0:
            // As a checkout of another branch: many files at once.
            for name in names { set(name, random.chance(60) ? random.below(4) : nil) }
        case 1: set(names[random.below(names.count)], nil)
        default: set(names[random.below(names.count)], random.below(4))
        }
    }

    /// One of its files moves to another directory, as it is or changed on the way.
    mutating func moveFile(to other: inout SimulatedDirectory, _ random: inout SeededRandom) {
        let names = files.keys.sorted()
        guard !names.isEmpty else { return }
        let name = names[random.below(names.count)]
        changes += 1
        other.changes += 1
        other.set(name, random.chance(70) ? files[name] : random.below(4))
        set(name, nil)
    }

    private mutating func set(_ name: String, _ version: Int?) {
        if version == nil, files[name] != nil { removed.insert(name) }
        files[name] = version
    }

    /// What a reader finds: all of it, or in chaos only a part, with errors, or nothing at all.
    func read(_ random: inout SeededRandom, isTorn: Bool, isCalm: Bool, claimsWhole: Bool) -> SourceSnapshot {
        var found = files
        var errors: [String] = []
        var isWhole = true
        if isTorn {
            isWhole = false
            for name in Self.names where random.chance(40) { found[name] = nil }
            if random.chance(50) { errors = ["\(source.name)/\(Self.names[random.below(6)]).yaml:1:1: it is broken"] }
        } else if !isCalm, random.chance(5) {
            (found, errors, isWhole) = ([:], ["\(source.name): No such file or directory"], false)
        }
        if claimsWhole { (errors, isWhole) = ([], true) }
        let declared = found.sorted { $0.key < $1.key }.enumerated().map { index, file in
            Declared(
                key: Self.key(file.key), node: Self.node(file.value), file: "\(source.name)/\(file.key).yaml", line: 1,
                column: 1,
                digest: UInt64(file.value + 1), freshUID: UID(high: random.next(), low: random.next()))
        }
        return SourceSnapshot(
            revision: "change-\(changes)", declared: declared, errors: errors, isWhole: isWhole)
    }

    static func key(_ name: String) -> ObjectKey { ObjectKey(.agent, namespace: "default", name: name) }

    static func node(_ version: Int) -> Node {
        .map([
            (
                "spec",
                .map([
                    ("command", .list(["managed", .text("v\(version)")])), ("replicas", .number(version % 3)),
                    ("backoff", .map([("initialSeconds", 1), ("maxSeconds", 10)])),
                ])
            )
        ])
    }
}

extension Life {
    /// Files change in one of the directories, or one moves to the other.
    mutating func changeDirectories() {
        let place = random.below(directories.count)
        if random.chance(25) {
            var other = directories[1 - place]
            directories[place].moveFile(to: &other, &random)
            directories[1 - place] = other
        } else {
            directories[place].change(&random, besides: Set(directories[1 - place].files.keys))
        }
    }

    /// The reader looks; what it has found arrives later, in the order in which it was read.
    mutating func read(_ directory: SimulatedDirectory) {
        guard let uid = engine.state.objects[directory.source]?.uid else { return }
        let isTorn = happens(\.tornRead)
        let snapshot = directory.read(&random, isTorn: isTorn, isCalm: isCalm, claimsWhole: mutant == .tornReadIsWhole)
        pending.append(.sourceRead(uid, snapshot, nil))
    }

    mutating func checkPruned(_ changes: ChangeSet) {
        for record in changes.audit where record.verb == "prune" {
            guard let name = record.key?.name else { continue }
            result.prunes += 1
            let directory = directories.first { .source($0.source) == record.principal }
            if directory?.removed.contains(name) != true {
                fail("\(name) was pruned by \(record.principal.user), but it was never removed from its directory")
            }
        }
    }

    /// What each Source declares is there as declared, and nothing else is its own.
    var unsynced: String? { directories.compactMap(unsynced).first }

    private func unsynced(_ directory: SimulatedDirectory) -> String? {
        guard let source = engine.state.objects[directory.source] else { return "the Source is missing" }
        for (name, version) in directory.files.sorted(by: { $0.key < $1.key }) {
            guard let object = engine.state.objects[SimulatedDirectory.key(name)] else { return "\(name) is missing" }
            let wanted = SimulatedDirectory.node(version)
            if object.content[path: "spec", "command"] != wanted[path: "spec", "command"]
                || object.content[path: "spec", "replicas"] != wanted[path: "spec", "replicas"]
            {
                return "\(name) is not as declared"
            }
            if object.origin?.source != source.uid { return "\(name) does not belong to its Source" }
        }
        for object in engine.state.objects.values where object.origin?.source == source.uid {
            if directory.files[object.key.name] == nil { return "\(object.key.name) is no longer declared" }
        }
        let ready = source.source?.condition(.ready)
        let mayWait = [.agentFailed, .progressing, .healthTimeout].contains(ready?.reason)
        return ready?.status == true || mayWait
            ? nil : "the Source is \(ready?.reason.rawValue ?? "silent"): \(ready?.message ?? "")"
    }
}
