import Manifests
import Planner
import Reconciler
import Values

/// How values stand in columns of the database. What cannot have been written by this program is damage.
enum Column {
    static func text(_ deadline: Deadline) -> String {
        "\(deadline.boot):\(deadline.bootMs):\(deadline.wallMs):\(deadline.lengthMs)"
    }

    static func deadline(_ text: String) throws(Damage) -> Deadline {
        let (boot, numbers) = try parts(text, 3)
        return Deadline(boot: boot, bootMs: numbers[0], wallMs: numbers[1], lengthMs: numbers[2])
    }

    static func text(_ moment: Moment) -> String { "\(moment.boot):\(moment.bootMs):\(moment.wallMs)" }

    static func moment(_ text: String) throws(Damage) -> Moment {
        let (boot, numbers) = try parts(text, 2)
        return Moment(wallMs: numbers[1], boot: boot, bootMs: numbers[0])
    }

    /// A boot and so many numbers after it.
    private static func parts(_ text: String, _ count: Int) throws(Damage) -> (UInt64, [Int64]) {
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = words.dropFirst().compactMap { WholeNumber.read($0, in: Int64.min...Int64.max) }
        guard words.count == count + 1, numbers.count == count, let boot = words.first.flatMap({ UInt64($0) }) else {
            throw Damage("it is no time: \"\(text.prefix(60))\"")
        }
        return (boot, numbers)
    }

    static func uid(_ text: String) throws(Damage) -> UID {
        guard text.utf8.count == 32, let uid = UID(text) else { throw Damage("it is no uid: \"\(text.prefix(60))\"") }
        return uid
    }

    static func run(_ text: String) throws(Damage) -> RunID {
        guard let run = RunID(text) else { throw Damage("it names no run: \"\(text.prefix(60))\"") }
        return run
    }

    static func name<Name: RawRepresentable<String>>(_ text: String) throws(Damage) -> Name {
        guard let name = Name(rawValue: text) else { throw Damage("it is no \(Name.self): \"\(text.prefix(60))\"") }
        return name
    }

    static func text(_ exit: Exit) -> String {
        JSONWriter.text(
            .map([
                ("code", exit.code.map { .number($0) }), ("signal", exit.signal.map { .number($0) }),
                ("reason", .text(exit.reason.rawValue)), ("message", .text(exit.message)), ("atMs", .number(exit.atMs)),
                ("childOOMKills", exit.childOOMKills > 0 ? .number(exit.childOOMKills) : nil),
            ]))
    }

    static func exit(_ text: String) throws(Damage) -> Exit {
        let stored = try Document(text)
        return Exit(
            code: try stored.optionalNumber("code"), signal: try stored.optionalNumber("signal"),
            reason: try stored.value("reason", Exit.Reason.init), message: try stored.text("message"),
            atMs: try stored.number("atMs"),
            childOOMKills: stored.has("childOOMKills") ? try stored.count("childOOMKills") : 0)
    }

    static func text(_ managers: [FieldManager]) -> String {
        JSONWriter.text(
            .list(
                managers.map { manager in
                    .map([
                        ("manager", .text(manager.name)), ("operation", .text(manager.operation.rawValue)),
                        ("subresource", manager.subresource == .none ? nil : .text(manager.subresource.rawValue)),
                        ("timeMs", .number(manager.timeMs)), ("fieldsV1", manager.fieldsV1),
                    ])
                }))
    }

    static func managers(_ text: String) throws(Damage) -> [FieldManager] {
        var managers: [FieldManager] = []
        for stored in try Document(text).items() {
            let node = Node.map([
                ("manager", .text(try stored.text("manager"))), ("operation", .text(try stored.text("operation"))),
                ("subresource", try stored.optionalText("subresource").map(Node.text)),
                ("fieldsV1", try stored.tree("fieldsV1")),
            ])
            guard let manager = FieldManager(node, timeMs: try stored.number("timeMs")) else {
                throw Damage("a field manager of it cannot be read")
            }
            managers.append(manager)
        }
        return managers
    }

    /// What an answer was about; an empty map for none.
    static func text(_ about: KeptAnswer.About?) -> String {
        JSONWriter.text(
            .map([
                ("created", (about?.isCreated).map { Node(.bool($0)) }),
                ("kind", (about?.key.kind.rawValue).map(Node.text)),
                ("namespace", (about?.key.namespace).map(Node.text)), ("name", (about?.key.name).map(Node.text)),
                ("uid", (about?.uid.hex).map(Node.text)), ("createdAtMs", (about?.createdAtMs).map { .number($0) }),
            ]))
    }

    static func about(_ text: String) throws(Damage) -> KeptAnswer.About? {
        let stored = try Document(text)
        guard stored.has("kind") else { return nil }
        let key = ObjectKey(
            try stored.value("kind", Kind.init), namespace: try stored.text("namespace"), name: try stored.text("name"))
        return KeptAnswer.About(
            key: key, uid: try stored.value("uid") { UID($0) }, createdAtMs: try stored.number("createdAtMs"),
            isCreated: try stored.flag("created"))
    }

    static func text(_ origin: Origin) -> String {
        JSONWriter.text(
            .map([
                ("source", .text(origin.source.hex)), ("file", .text(origin.file)), ("line", .number(origin.line)),
                ("digest", .text(String(origin.digest, radix: 16))),
            ]))
    }

    static func origin(_ text: String) throws(Damage) -> Origin {
        let stored = try Document(text)
        return Origin(
            source: try stored.value("source") { UID($0) }, file: try stored.text("file"),
            line: try stored.count("line"), digest: try stored.value("digest") { UInt64($0, radix: 16) })
    }

    // MARK: Runs

    static func inputs(_ run: Run) -> String {
        JSONWriter.text(.map(run.inputs.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) }))
    }

    static func inputs(_ text: String) throws(Damage) -> [String: Int64] { try Document(text).numbers() }

    /// Nil when nothing is known of the instance beside its process.
    static func facts(_ run: Run) -> String? {
        let facts = Node.map([
            ("image", run.facts.image.map { .text($0) }), ("address", run.facts.address.map { .text($0) }),
            ("frozen", run.isFrozen ? true : nil), ("untold", run.isUntold ? true : nil),
            ("childOOMKills", run.facts.childOOMKills > 0 ? .number(run.facts.childOOMKills) : nil),
        ])
        return facts.map?.isEmpty == true ? nil : JSONWriter.text(facts)
    }

    static func facts(_ text: String) throws(Damage) -> (facts: InstanceFacts, isFrozen: Bool, isUntold: Bool) {
        let stored = try Document(text)
        let facts = InstanceFacts(
            image: try stored.optionalText("image"), address: try stored.optionalText("address"),
            childOOMKills: stored.has("childOOMKills") ? try stored.count("childOOMKills") : 0)
        func flag(_ name: String) throws(Damage) -> Bool { stored.has(name) ? try stored.flag(name) : false }
        return (facts, try flag("frozen"), try flag("untold"))
    }

    /// A process or user id.
    static func id<ID: FixedWidthInteger>(_ number: Int64) throws(Damage) -> ID {
        guard let id = ID(exactly: number), id >= 0 else { throw Damage("it is \(number)") }
        return id
    }
}
