import Values

/// The fields that all objects have.
public enum ObjectFields {
    /// The root of a description: what all objects have, and what is the kind's own.
    public static func root(
        apiVersion: String, kind: String, nameRule: StringRule, isNamespaced: Bool, _ more: [Field]
    ) -> [Field] {
        [
            Field(
                "apiVersion", .enumeration([apiVersion]), required: true, text: "Version of the schema of this kind."),
            Field("kind", .enumeration([kind]), required: true, text: "The kind of the object."),
            Field(
                "metadata", .object(metadata(nameRule, isNamespaced: isNamespaced)), required: true,
                text: "Standard object metadata, as in Kubernetes."),
        ] + more
    }

    private static func metadata(_ nameRule: StringRule, isNamespaced: Bool) -> [Field] {
        var fields = [
            Field(
                "name", .string(nameRule), required: true,
                text: "Name, unique within kind and namespace."),
            Field("labels", .strings(.labelKey, values: .labelValue), text: "Labels to select objects by."),
            Field(
                "annotations", .strings(.labelKey, values: .any),
                text: "Free notes for people and tools; the program does not interpret them."),
            Field(
                "finalizers", .list(.string(.labelKey), max: 32, nonEmpty: false),
                text: "Names of controllers that must let go before a deletion ends."),
        ]
        fields.append(
            Field(
                "ownerReferences", .list(.object(owner), max: 32, nonEmpty: false),
                text: "Objects that this one belongs to: it is deleted when all of them are gone."))
        if isNamespaced {
            fields.insert(
                Field("namespace", .string(.label(63)), text: "The tenant; `default` when absent."),
                at: 1)
        }
        // Written by the daemon. Accepted in what is applied, so that what was shown can be applied again; no effect.
        for name in [
            "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
            "deletionGracePeriodSeconds", "managedFields", "declaredBy", "generateName", "selfLink",
        ] {
            fields.append(Field(name, .anything, text: "Written by the daemon."))
        }
        return fields
    }

    private static let owner = [
        Field("apiVersion", .string(.nonEmpty), required: true, text: "Version of the schema of the owner's kind."),
        Field("kind", .string(.nonEmpty), required: true, text: "The kind of the owner."),
        Field(
            "name", .string(.nonEmpty), required: true, text: "The name of the owner, in the same namespace or in none."
        ),
        Field("uid", .string(.nonEmpty), required: true, text: "The uid of the owner."),
        Field("controller", .boolean, text: "True: the owner is the one that controls the object."),
        Field(
            "blockOwnerDeletion", .boolean,
            text: "True: a deletion of the owner in the foreground waits for the object."),
    ]

    static let status = Field("status", .anything, text: "Observed state, written by the daemon alone.")
}
