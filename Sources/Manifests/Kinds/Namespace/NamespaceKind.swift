/// The tenant boundary.
enum NamespaceKind {
    static let definition = KindDescription(
        "Namespace", resource: "namespaces", shortNames: ["ns"], text: "The tenant boundary.", isNamespaced: false,
        nameRule: .label(63),
        fields: [
            Field("spec", .anything, text: "Empty; accepted for Kubernetes clients."), ObjectFields.status,
        ],
        subresources: [.status],
        columns: [
            .name,
            Column("STATUS", text: "Active, or Terminating.") { .text($0[path: "status", "phase"]?.string ?? "") },
            .age,
        ], selectableFields: ["status.phase"])
}
