import Manifests
import Reconciler

/// The part of `Documentation/events.md` that is made of the descriptions of events.
public enum EventsPage {
    public static let begin = "<!-- made from the descriptions of events: -->\n"
    public static let end = "<!-- until here -->\n"

    /// A page with this part as it is to be; nil when the page has no place for it.
    public static func page(_ page: String) -> String? {
        guard let begin = page.firstRange(of: begin), let end = page.firstRange(of: end),
            begin.upperBound <= end.lowerBound
        else { return nil }
        return page[..<begin.upperBound] + text + page[end.lowerBound...]
    }

    static var text: String {
        let kinds = Kind.allCases.filter { !$0.traits.isFleeting }.map { "`\($0.singular)`" }.joined(separator: ", ")
        var lines = ["| type | what has happened | in its `data` |", "|---|---|---|"]
        // What is the same for all kinds, and for all runs, stands once.
        for description in EventDescription.current {
            switch description.type {
            case .created(.agent): lines.append(row("KIND.created", description))
            case .updated(.agent): lines.append(row("KIND.updated", description))
            case .deleted(.agent): lines.append(row("KIND.deleted", description))
            case .created, .updated, .deleted: break
            case .run: lines.append(row(description.type.text, description, data: "of a run, as below"))
            case .consumerExpired, .sinkExpired, .sinkGone, .sourceSynced, .sourceFailed, .objectPruned,
                .objectDrifted, .objectiveBurning, .objectiveSpent, .objectiveRecovered:
                lines.append(row(description.type.text, description))
            }
        }
        lines += ["", "KIND is one of \(kinds).", "", "| in the `data` of a run | meaning |", "|---|---|"]
        let run = EventDescription.current.first { $0.type == .run(.started) }?.data ?? []
        lines += run.map { "| \(name(of: $0)) | \($0.text) |" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func name(of field: EventField) -> String { "`\(field.name)`\(field.isRequired ? "" : "?")" }

    private static func row(_ type: String, _ description: EventDescription, data: String? = nil) -> String {
        let fields = description.data.map { "\(name(of: $0)) (\($0.text))" }
        let data = data ?? (fields.isEmpty ? "–" : fields.joined(separator: ", "))
        return "| `\(type)` | \(ReasonWords.sentence(description.type)) | \(data) |"
    }
}
