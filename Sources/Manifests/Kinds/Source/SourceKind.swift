import Values

/// A directory, or a branch of a Git repository, that the daemon keeps true.
enum SourceKind {
    static let definition = KindDescription(
        "Source", group: "agentos.dev", resource: "sources", shortNames: ["src"],
        text: "A directory, or a branch of a Git repository, that the daemon keeps true.", nameRule: .label(63),
        fields: SourceFields.root, subresources: [.status, .events, .sync, .preview],
        columns: [
            .name,
            Column("REVISION", text: "What was applied last.") {
                .text(shortRevision($0[path: "status", "revision"]?.string ?? ""))
            },
            Column("STATE", text: "Whether all that it declares is there.") {
                .text($0[path: "status", "phase"]?.string ?? "")
            }, .count("DECLARED", "declared", text: "Objects that it declares."),
            .count("APPLIED", "applied", text: "Objects that are as it declares them."),
            .count("PRUNED", "pruned", text: "Objects that the last sync deleted."),
            .count("DRIFTED", "drifted", text: "Objects that others have changed."),
            .count("FAILED", "failed", text: "Objects that could not be applied."),
            Column("SYNCED", text: "The time since the last sync.") {
                .since($0[path: "status", "lastSyncTime"]?.string)
            }, .age,
            Column("REASON", text: "What the condition Ready says first.", isWide: true) {
                .text(Column.readiness($0).split(separator: "\n").first.map(String.init) ?? "")
            },
        ],
        rules: { object, validator in validator.checkSource(object) },
        isSameSpec: { one, other, _ in SourceSpec(one) == SourceSpec(other) })

    /// A commit as Git shortens it.
    private static func shortRevision(_ revision: String) -> String {
        guard let at = revision.lastIndex(where: { $0 == "@" || $0 == ":" }) else { return String(revision.prefix(12)) }
        let number = revision[revision.index(after: at)...]
        return number.count > 12 ? "\(revision[...at])\(number.prefix(12))" : revision
    }
}
