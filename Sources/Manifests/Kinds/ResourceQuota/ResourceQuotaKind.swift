import Values

/// What a namespace may use at most. Nothing enforces it yet: so that nobody relies on it, none can be made.
enum ResourceQuotaKind {
    static let definition = KindDescription(
        "ResourceQuota", resource: "resourcequotas", shortNames: ["quota"],
        text: "What a namespace may use at most; refused until it is enforced.", nameRule: .subdomain,
        fields: [
            Field(
                "spec",
                .object([
                    Field("hard", .strings(.any, values: .any), text: "The most of each resource, by its name."),
                    Field(
                        "scopes", .list(.string(.any), max: 16, nonEmpty: false), text: "Which objects it counts."),
                ]), text: "What may be used at most."),
            ObjectFields.status,
        ],
        columns: [
            .name, .age,
            Column("HARD", text: "The most of each resource.") { quota in
                let hard = (quota[path: "spec", "hard"]?.stringMap ?? [:]).sorted { $0.key < $1.key }
                return .text(hard.map { "\($0.key): \($0.value)" }.joined(separator: ", "))
            },
        ],
        rules: { object, validator in
            validator.report(
                object["spec"]?.mark ?? object.mark, "spec",
                "quotas are not enforced yet, so that none is taken; limit agents by spec.resources.limits")
        })
}
