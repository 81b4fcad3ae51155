import Values

/// Who leads: what programs that elect one of them write and renew.
enum LeaseKind {
    private static let text = Shape.string(.any)

    static let definition = KindDescription(
        "Lease", group: "coordination.k8s.io", resource: "leases", text: "Who leads, and until when.",
        nameRule: .subdomain,
        fields: [
            Field(
                "spec",
                .object([
                    Field("holderIdentity", text, text: "Who has it."),
                    Field(
                        "leaseDurationSeconds", .integer(1...Int64(Int32.max)),
                        text: "Seconds after which others may take it, counted from renewTime."),
                    Field("acquireTime", text, text: "When it was taken."),
                    Field("renewTime", text, text: "When its holder renewed it last."),
                    Field("leaseTransitions", .integer(0...Int64(Int32.max)), text: "How often the holder changed."),
                    Field("strategy", text, text: "How the holder is chosen, where that is coordinated."),
                    Field("preferredHolder", text, text: "Who should have it."),
                ]), text: "Who has it, and until when.")
        ],
        columns: [
            .name, Column("HOLDER", text: "Who has it.") { .text($0[path: "spec", "holderIdentity"]?.string ?? "") },
            .age,
        ])
}
