import Values

/// Values as text, for the environment and the volumes of agents.
enum ConfigMapKind {
    static let definition = KindDescription(
        "ConfigMap", resource: "configmaps", shortNames: ["cm"],
        text: "Values as text, for the environment and the volumes of agents.",
        nameRule: .subdomain,
        fields: [Field("data", .strings(.configKey, values: .any), text: "Values as text.")],
        columns: [.name, .keys, .age])
}

extension Column {
    /// How many values the object holds.
    static let keys = Column("DATA", text: "How many values it holds.", type: .integer) {
        .number($0["data"]?.map?.entries.count ?? 0)
    }
}
