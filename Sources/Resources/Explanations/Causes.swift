import Manifests
import Planner
import Reconciler
import Values

/// An entry of the audit with what the event of the same change says: read once, however often it is looked at.
struct Remembered {
    let entry: HistoryEntry
    let type: EventType?
    let data: Node?
    /// Of the replica that it tells of; nil: it is about the object as a whole.
    let ordinal: Int?

    private static let types = Dictionary(
        EventType.allCases.map { ($0.text, $0) }, uniquingKeysWith: { first, _ in first })

    init(_ entry: HistoryEntry) {
        let event = entry.payload.flatMap { JSONReader.read($0) }
        self.entry = entry
        type = event?["event_type"]?.string.flatMap { Self.types[$0] }
        data = event?["data"]
        ordinal = data?["ordinal"]?.int
    }
}

/// The history of an object as causes, newest first: what has happened again and again is one of them.
struct Causes {
    struct Cause {
        var entry: HistoryEntry
        /// Of the replica that it tells of.
        var ordinal: Int?
        var sentence: String
        /// The first time, and how often.
        var sinceMs: Int64
        var count = 1
        var revision: String?
        /// The field manager that has declared it, which names the program.
        var manager: String?

        var node: Node {
            .map([
                ("at", .text(Timestamp.milliseconds(entry.atMs))), ("sentence", .text(sentence)),
                ("by", .text(entry.user)), ("verb", .text(entry.verb)),
                ("manager", manager.map(Node.text)), ("declaredAt", entry.source.isEmpty ? nil : .text(entry.source)),
                ("sourceRevision", revision.map(Node.text)), ("count", count > 1 ? .number(count) : nil),
                ("first", count > 1 ? .text(Timestamp.milliseconds(sinceMs)) : nil),
                ("position", entry.position.map { .number($0) }),
            ])
        }
    }

    private(set) var all: [Cause] = []

    init(_ history: [Remembered], ordinal: Int?, _ revisions: [Int64: String]) {
        var places: [String: Int] = [:]
        for remembered in history {
            if let ordinal, let other = remembered.ordinal, other != ordinal { continue }
            let (entry, sentence) = (remembered.entry, Self.sentence(remembered))
            // What people have done is told each time.
            if let ordinal = remembered.ordinal {
                let name = "\(ordinal) \(sentence)"
                if let place = places[name] {
                    all[place].count += 1
                    all[place].sinceMs = entry.atMs
                    continue
                }
                places[name] = all.count
            }
            all.append(
                Cause(
                    entry: entry, ordinal: remembered.ordinal, sentence: sentence, sinceMs: entry.atMs,
                    revision: Principal.source(of: entry.user) == nil ? nil : revisions[entry.atMs],
                    manager: remembered.data?["manager"]?.string))
        }
    }

    /// The newest, and before all else what people and Sources have done; what has declared the object first is among them.
    var shown: [Cause] {
        let done = all.indices.filter { all[$0].ordinal == nil }
        var kept = Set(done.prefix(Explanation.causesMax / 2) + done.suffix(1))
        for index in all.indices where kept.count < Explanation.causesMax { kept.insert(index) }
        return kept.sorted().map { all[$0] }
    }

    // MARK: Words

    static func sentence(_ remembered: Remembered) -> String {
        let entry = remembered.entry
        let replica = remembered.ordinal.map { "replica \($0): " } ?? ""
        switch entry.verb {
        case "delete": return "its deletion was asked for"
        case "owners": return "who owns its fields was changed"
        case "status": return "a controller has noted something in its status"
        case "exec": return "a command was run beside it"  // its words are for those who may run one
        case "port-forward": return "connections to its ports were opened"
        case "prune": return ReasonWords.sentence(.objectPruned)
        default: break
        }
        guard let type = remembered.type else {
            return entry.detail.isEmpty ? entry.verb : "\(entry.verb): \(entry.detail)"
        }
        return replica + ReasonWords.sentence(type) + more(type, remembered.data)
    }

    private static func more(_ type: EventType, _ data: Node?) -> String {
        func list(_ name: String) -> String { (data?[name]?.list ?? []).compactMap(\.string).joined(separator: ", ") }
        switch type {
        case .run:
            let reason = data?["reason"]?.string ?? ""
            var parts: [String] = []
            if let exit = Exit.Reason(rawValue: reason) { parts.append(ReasonWords.sentence(exit)) }
            if let stop = StopReason(rawValue: reason) { parts.append(ReasonWords.sentence(stop)) }
            if let code = data?["exitCode"]?.int { parts.append("exit code \(code)") }
            if let signal = data?["signal"]?.string { parts.append(signal) }
            if let message = data?["message"]?.string { parts.append(message) }
            return parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))"
        case .updated:
            let restarts = list("restarts")
            return restarts.isEmpty ? "" : "; that restarts its replicas, because of \(restarts)"
        case .sourceSynced: return (data?["sourceRevision"]?.string).map { " at \($0)" } ?? ""
        case .sourceFailed: return ": \(list("errors"))"
        case .objectPruned, .objectDrifted: return (data?["source"]?.string).map { ", source \($0)" } ?? ""
        case .objectiveBurning, .objectiveSpent, .objectiveRecovered:
            return (data?["budgetRemaining"]?.string).map { "; \($0) of the budget is left" } ?? ""
        case .sinkGone: return (data?["message"]?.string).map { ": \($0)" } ?? ""
        case .created, .deleted, .consumerExpired, .sinkExpired: return ""
        }
    }
}
