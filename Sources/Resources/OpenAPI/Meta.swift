import Manifests
import Values

/// What all objects and answers of Kubernetes have in common. Source: Kubernetes' `meta/v1`.
enum Meta {
    static let package = "io.k8s.apimachinery.pkg.apis.meta.v1."

    static let schemas: [(name: String, text: String, fields: [Field])] = [
        (package + "ObjectMeta", "Metadata that every object has.", objectMeta),
        (package + "ListMeta", "Metadata of a list.", listMeta),
        (package + "Status", "The one model of errors, and of answers that have no object.", status),
        (package + "Patch", "A change of an object, in the form that its Content-Type says.", []),
        (package + "DeleteOptions", "How an object is to be deleted.", deleteOptions),
    ]

    /// How strategic merge patches put lists together.
    static let extensions: [String: [(String, Node?)]] = [
        "finalizers": [("x-kubernetes-patch-strategy", "merge"), ("x-kubernetes-list-type", "set")],
        "ownerReferences": [
            ("x-kubernetes-patch-strategy", "merge"), ("x-kubernetes-patch-merge-key", "uid"),
            ("x-kubernetes-list-type", "map"), ("x-kubernetes-list-map-keys", ["uid"]),
        ],
    ]

    private static let text = Shape.string(.any)
    private static let number = Shape.integer(0 ... .max)
    private static let strings = Shape.strings(.any, values: .any)
    private static func items(_ fields: [Field]) -> Shape { .list(.object(fields), max: 10_000, nonEmpty: false) }

    private static let objectMeta = [
        Field("annotations", strings, text: "Free notes for people and tools."),
        Field("creationTimestamp", text, text: "When it was made, by the server (RFC 3339)."),
        Field("deletionGracePeriodSeconds", number, text: "Seconds that it has to end gracefully."),
        Field("deletionTimestamp", text, text: "When its deletion was asked for."),
        Field(
            "finalizers", .list(text, max: 32, nonEmpty: false),
            text: "Names of controllers that must let go before a deletion ends."),
        Field("generateName", text, text: "The beginning of a name that the server completes."),
        Field("generation", number, text: "Counts the changes of what is declared."),
        Field("labels", strings, text: "Labels to select objects by."),
        Field(
            "managedFields",
            items([
                Field("apiVersion", text, text: "The version of the fields."),
                Field("fieldsType", text, text: "Always FieldsV1."),
                Field("fieldsV1", .anything, text: "The fields, as a tree of their paths."),
                Field("manager", text, text: "Who owns the fields."),
                Field("operation", text, text: "Apply or Update."),
                Field("subresource", text, text: "Through which part of the object they were written."),
                Field("time", text, text: "When that was changed last."),
            ]), text: "Who owns which fields."),
        Field("name", text, text: "Name, unique within kind and namespace."),
        Field("namespace", text, text: "The tenant."),
        Field(
            "ownerReferences",
            items([
                Field("apiVersion", text, required: true, text: "The version of the owner's kind."),
                Field("blockOwnerDeletion", .boolean, text: "Whether the owner stays until this is gone."),
                Field("controller", .boolean, text: "Whether the owner is the one that manages this."),
                Field("kind", text, required: true, text: "The kind of the owner."),
                Field("name", text, required: true, text: "The name of the owner."),
                Field("uid", text, required: true, text: "The identity of the owner."),
            ]), text: "Objects that this one goes with."),
        Field("resourceVersion", text, text: "The version of the object; compared for equality only."),
        Field("uid", text, text: "The identity of the object over its whole life."),
        Field(
            "declaredBy",
            .object([
                Field("source", text, text: "Namespace and name of the Source."),
                Field("file", text, text: "The file that declares it."),
                Field("line", number, text: "The line where it stands."),
            ]), text: "The Source that declares it."),
    ]

    private static let listMeta = [
        Field("continue", text, text: "Where the list goes on; absent at its end."),
        Field("remainingItemCount", number, text: "How many follow."),
        Field("resourceVersion", text, text: "The version that was read."),
    ]

    private static let status = [
        Field("apiVersion", text, text: "Always v1."), Field("kind", text, text: "Always Status."),
        Field("code", number, text: "The status code."),
        Field(
            "details",
            .object([
                Field(
                    "causes",
                    items([
                        Field("field", text, text: "Which field."), Field("message", text, text: "What is wrong."),
                        Field("reason", text, text: "The same for programs."),
                    ]), text: "What is wrong, one by one."),
                Field("group", text, text: "The group of the object."), Field("kind", text, text: "Its kind."),
                Field("name", text, text: "Its name."), Field("uid", text, text: "Its identity."),
                Field("retryAfterSeconds", number, text: "When to try again."),
            ]), text: "What the answer is about."),
        Field("message", text, text: "What happened, in words."),
        Field("metadata", .anything, text: "Empty."),
        Field("reason", text, text: "The same for programs."), Field("status", text, text: "Success or Failure."),
    ]

    private static let deleteOptions = [
        Field("apiVersion", text, text: "Any version."), Field("kind", text, text: "Always DeleteOptions."),
        Field("dryRun", .list(text, max: 1, nonEmpty: false), text: "All: nothing is done, only told."),
        Field("gracePeriodSeconds", .integer(0...86_400), text: "Seconds to end gracefully; 0 kills at once."),
        Field("orphanDependents", .boolean, text: "Older than propagationPolicy."),
        Field(
            "preconditions",
            .object([
                Field("resourceVersion", text, text: "The version that it must be."),
                Field("uid", text, text: "The identity that it must have."),
            ]), text: "What must be true of the object."),
        Field("propagationPolicy", text, text: "Background, Foreground or Orphan."),
    ]
}
