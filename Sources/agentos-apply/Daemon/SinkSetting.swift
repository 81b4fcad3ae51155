import Manifests
import Messaging
import Planner
import Reconciler
import Values

/// A named sink of the settings file: where events are delivered to beside the journal, and which.
package struct SinkSetting: Equatable, Sendable {
    /// What stands behind a sink.
    enum Place: Equatable, Sendable {
        case nats(NATSSettings)
        case webhook(WebhookSettings)
        case file(FileSettings)

        /// - Parameter report: is told, in words, what a person should know.
        func sink(report: @escaping @Sendable (String) -> Void) -> any EventSink {
            switch self {
            case .nats(let settings): NATSSink(settings, report: report)
            case .webhook(let settings): WebhookSink(settings)
            case .file(let settings): FileSink(settings, report: report)
            }
        }
    }

    let rule: SinkRule
    let place: Place
    /// As it stands in the file, with defaults.
    let node: Node

    var name: String { rule.name }

    // MARK: Reading

    static let places: [Field] = [
        Field("nats", .object(NATSSettings.fields), text: "a stream of NATS JetStream"),
        Field("webhook", .object(WebhookSettings.fields), text: "a server that CloudEvents are posted to"),
        Field("file", .object(FileSettings.fields), text: "a file of JSON lines, begun anew when large or old"),
    ]

    static let fields: [Field] =
        [
            Field(
                "name", .string(.label(63)), required: true,
                text: "by which commands know it; another name is another sink, which begins with what comes"),
            Field(
                "required", .boolean, fallback: false,
                text: "a start waits until its events are there (consistency.readyRequires: Published)"),
            Field(
                "types", .list(.string(.nonEmpty), max: 100, nonEmpty: true),
                text: "types of events, such as agent.created, run.* or *.deleted; all without it"),
            Field(
                "namespaces", .list(.string(.label(63)), max: 1000, nonEmpty: true),
                text: "namespaces of the events' objects; all without it"),
            Field(
                "labels", .string(.nonEmpty),
                text: "selector of the labels that the events' objects have, such as team=a,tier!=test"),
        ] + places

    static let field = Field(
        "sinks", .list(.object(fields), max: Limits.sinksMax, nonEmpty: false),
        text: "where events are delivered to beside the journal; each has one of nats, webhook and file")

    /// Reads what `field` allows, with all that is wrong across fields.
    static func read(_ list: Node?, file: String, _ diagnostics: inout Diagnostics) -> [SinkSetting] {
        var names: Set<String> = []
        return (list?.list ?? []).enumerated().compactMap { index, item in
            var reader = Reader(file: file, path: "sinks[\(index)]", item: item)
            let setting = reader.setting()
            if let setting, !names.insert(setting.name).inserted {
                reader.report("name", "another sink has this name")
            }
            diagnostics.add(reader.diagnostics)
            return setting
        }
    }

    private struct Reader {
        let file: String
        let path: String
        let item: Node
        var diagnostics = Diagnostics()

        mutating func report(_ field: String, _ message: String) {
            let mark = item[field]?.mark ?? item.mark
            let place = field.isEmpty ? path : "\(path).\(field)"
            diagnostics.add(Diagnostic(file: file, mark: mark, path: place, message: message))
        }

        mutating func setting() -> SinkSetting? {
            let name = item["name"]?.string ?? ""
            if name == "journal" { report("name", "the journal is always there, and has no settings") }
            let given = SinkSetting.places.map(\.name).filter { item[$0] != nil }
            guard given.count == 1, let kind = given.first else {
                report("", "expected one of \(SinkSetting.places.map(\.name).joined(separator: ", "))")
                return nil
            }
            let filter = filter()
            guard let place = place(kind) else { return nil }
            let rule = SinkRule(name: name, kind: kind, isRequired: item["required"]?.bool == true, filter: filter)
            return SinkSetting(rule: rule, place: place, node: item)
        }

        private mutating func filter() -> EventFilter {
            let types = item["types"]?.list?.compactMap(\.string) ?? []
            let known = EventType.allCases.map(\.text)
            for type in types {
                let filter = EventFilter(types: [type])
                if known.contains(where: { filter.wants(type: $0, namespace: "", label: { _ in nil }) }) { continue }
                report("types", "no event has the type \"\(type)\"\(Suggestion.text(for: type, among: known))")
            }
            var labels: SelectorTerms?
            if let text = item["labels"]?.string {
                do throws(SelectorTerms.Problem) { labels = try SelectorTerms(text) } catch {
                    report("labels", error.message)
                }
            }
            let namespaces = item["namespaces"]?.list?.compactMap(\.string) ?? []
            return EventFilter(types: types, namespaces: Set(namespaces), labels: labels)
        }

        private mutating func place(_ kind: String) -> Place? {
            let block = item[kind] ?? .emptyMap
            do throws(SettingsMistakes) {
                switch kind {
                case "nats": return .nats(try NATSSettings.read(block, file: file, path: "\(path).nats"))
                case "webhook": return .webhook(try WebhookSettings.read(block, file: file, path: "\(path).webhook"))
                default: return .file(try FileSettings.read(block, file: file, path: "\(path).file"))
                }
            } catch {
                for diagnostic in error.diagnostics { diagnostics.add(diagnostic) }
                return nil
            }
        }
    }
}
