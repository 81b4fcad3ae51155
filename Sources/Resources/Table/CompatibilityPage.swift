/// `Documentation/api-compatibility.md`, from the table of resources.
public enum CompatibilityPage {
    public static var text: String {
        var lines = [
            "# API compatibility", "",
            "Made from the table of resources; a test holds it. To write it anew after a change of the table:",
            "`AGENTOS_WRITE_DOCUMENTS=1 scripts/test --filter thePageOfCompatibilityIsThatOfTheTable`.", "",
            "All is HTTP/1.1 with JSON, over the daemon's socket and over TLS. Lists and single objects also come as",
            "`Table` and as `PartialObjectMetadata`; large answers as gzip where a client takes it. A watch is a stream of",
            "JSON lines. What has a since-version keeps its meaning in all later versions with the same first number.",
            "",
            "| Resource | Kind | Namespaced | Verbs | Since | What it is |", "|---|---|---|---|---|---|",
        ]
        for resource in Resource.all {
            lines.append(
                row(
                    "`\(resource.root)/\(resource.name)`", resource.kind, resource.isNamespaced, resource.verbs,
                    resource.text))
            for subresource in resource.subresources {
                let kind = "\(subresource.group.isEmpty ? "" : "\(subresource.group)/")\(subresource.kind)"
                lines.append(
                    row(
                        "`\(resource.root)/\(resource.name)/…/\(subresource.name)`", kind, resource.isNamespaced,
                        subresource.verbs, subresource.text))
            }
        }
        lines += ["", "## Selectable fields", "", "Beside `metadata.name` and `metadata.namespace`:", ""]
        for resource in Resource.all where !resource.selectableFields.isEmpty {
            let fields = resource.selectableFields.map { "`\($0)`" }.joined(separator: ", ")
            lines.append("- \(resource.qualifiedName): \(fields)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(
        _ place: String, _ kind: String, _ isNamespaced: Bool, _ verbs: [Resource.Verb], _ text: String
    ) -> String {
        let words = verbs.map(\.rawValue).sorted().joined(separator: ", ")
        return "| \(place) | \(kind) | \(isNamespaced ? "yes" : "no") | \(words) | 0.1 | \(text) |"
    }
}
