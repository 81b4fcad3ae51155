import Values

/// Values that are shown nowhere.
enum SecretKind {
    static let definition = KindDescription(
        "Secret", resource: "secrets", text: "Values that are shown nowhere.", nameRule: .subdomain, fields: fields,
        columns: [
            .name, Column("TYPE", text: "Free type of the secret.") { .text($0["type"]?.string ?? "") }, .keys, .age,
        ],
        selectableFields: ["type"],
        rules: { object, validator in check(object, &validator) })

    private static let fields: [Field] = [
        Field("type", .string(.any), fallback: "Opaque", text: "Free type of the secret."),
        Field("data", .strings(.configKey, values: .base64), text: "Values in base64."),
        Field("stringData", .strings(.configKey, values: .any), text: "Values as plain text; stored in `data`."),
        Field(
            "dataFrom",
            .list(
                .object([
                    Field("key", .string(.configKey), required: true, text: "Key in data."),
                    Field(
                        "file", .string(.absolutePath),
                        text: "A file of the machine, below one that the daemon's option --secret-path allows."),
                    Field(
                        "environment", .string(.environmentName),
                        text: "A variable of the daemon, which its option --secret-environment allows."),
                ]), max: 256, nonEmpty: true),
            text: "In the directory of a Source: values that are not beside it; stored in `data`."),
    ]

    private static func check(_ object: Node, _ validator: inout Validator) {
        let encoded = Set(object["data"]?.map?.entries.map(\.key) ?? [])
        for entry in object["stringData"]?.map?.entries ?? [] where encoded.contains(entry.key) {
            validator.report(entry.mark, "stringData.\(entry.key)", "stands in data too")
        }
        for (index, item) in (object["dataFrom"]?.list ?? []).enumerated()
        where (item["file"] == nil) == (item["environment"] == nil) {
            validator.report(item.mark, "dataFrom[\(index)]", "expected exactly one of file, environment")
        }
    }
}
