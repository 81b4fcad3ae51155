import Values

/// Who a program is, that asks with a token.
enum ServiceAccountKind {
    static let definition = KindDescription(
        "ServiceAccount", resource: "serviceaccounts", shortNames: ["sa"],
        text: "Who a program is.", nameRule: .subdomain,
        fields: [
            Field(
                "automountServiceAccountToken", .boolean,
                text: "Accepted for Kubernetes clients; agents are given no token by themselves."),
            Field(
                "imagePullSecrets",
                .list(.object([Field("name", .string(.any), text: "Name of a Secret.")]), max: 64, nonEmpty: false),
                text: "Accepted for Kubernetes clients; has no effect."),
            Field(
                "secrets",
                .list(
                    .object([
                        Field("name", .string(.any), text: "Name of a Secret."),
                        Field("namespace", .string(.any), text: "Namespace of the Secret."),
                        Field("kind", .string(.any), text: "Secret."),
                    ]), max: 64, nonEmpty: false),
                text: "Accepted for Kubernetes clients; has no effect: tokens come from `kubectl create token`."),
        ],
        subresources: [.token],
        columns: [
            .name, Column("SECRETS", text: "Always none.", type: .integer) { .number($0["secrets"]?.list?.count ?? 0) },
            .age,
        ])
}
