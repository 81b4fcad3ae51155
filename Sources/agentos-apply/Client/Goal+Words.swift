import Values

extension Goal {
    /// What is waited for, behind the name of an object.
    package var words: String {
        switch self {
        case .readyOrCompleted: "to be Ready or Completed"
        case .rolledOut: "to be rolled out"
        case .scaled: "to be scaled"
        case .condition(let type, let status): "to have the condition \(type)=\(status)"
        case .field(let query, let value): "to have \(query.text)\(value.map { "=\($0)" } ?? "")"
        case .completed: "to be Completed"
        case .phase(let phase): "to be in the phase \(phase)"
        case .deleted: "to be deleted"
        }
    }

    /// As the option `--for` says it.
    package init(_ text: String) throws(Mistake) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        switch (parts[0], parts.count) {
        case ("deleted", 1), ("delete", 1): self = .deleted
        case ("Completed", 1): self = .completed
        case ("Ready", 1), ("Scheduled", 1), ("Published", 1), ("Progressing", 1): self = .condition(text)
        case ("phase", 2) where !parts[1].isEmpty: self = .phase(parts[1])
        case ("condition", 2) where !parts[1].isEmpty:
            let words = parts[1].split(separator: "=", maxSplits: 1).map(String.init)
            guard words.count == 2 else {
                self = .condition(words.first ?? "")
                return
            }
            guard ["true", "false", "unknown"].contains(words[1].lowercased()) else {
                throw Mistake("a condition is True, False or Unknown; found \"\(words[1])\"")
            }
            self = .condition(words[0], status: words[1])
        case ("jsonpath", 2):
            // The value stands behind the braces, in which there may be another "=".
            guard parts[1].hasPrefix("{"), let end = parts[1].lastIndex(of: "}") else {
                throw Mistake("expected jsonpath={.status.phase}=VALUE, found \"\(text)\"")
            }
            let value = parts[1][parts[1].index(after: end)...]
            if !value.isEmpty, !value.hasPrefix("=") {
                throw Mistake("expected jsonpath={.status.phase}=VALUE, found \"\(text)\"")
            }
            let query = try FieldQuery(String(parts[1][...end]))
            self = .field(query, equals: value.isEmpty ? nil : String(value.dropFirst()))
        default:
            throw Mistake(
                "expected Ready, Completed, Scheduled, phase=PHASE, condition=TYPE[=STATUS], jsonpath={.FIELD}[=VALUE] or delete; found \"\(text)\""
            )
        }
    }
}
