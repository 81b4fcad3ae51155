import Values

/// The description of `kind: Source`: a directory, or a branch of a Git repository, that the daemon keeps true.
enum SourceFields {
    static let root = [
        Field("spec", .object(spec), required: true, text: "Where objects are declared, and how they are kept."),
        ObjectFields.status,
    ]

    static let spec: [Field] = [
        Field(
            "path", .string(.absolutePath),
            text: "A directory of the machine, below one that the daemon's options --source-path and --watch allow."),
        Field(
            "git",
            .object([
                Field(
                    "url", .string(.gitURL), required: true,
                    text: "https://…, ssh://…, user@host:path, or file://… below an allowed directory."),
                Field("branch", .string(.nonEmpty), fallback: "main", text: "The branch that is followed."),
                Field("path", .string(.nonEmpty), fallback: ".", text: "The directory in the repository."),
                Field("interval", .string(.duration), fallback: "60s", text: "Time from poll to poll, such as 30s."),
                Field(
                    "secretRef",
                    .object([Field("name", .string(.subdomain), required: true, text: "Name of a Secret.")]),
                    text: "Credentials: the keys username and password, or identity and known_hosts."),
            ]), text: "A branch of a Git repository, of which the daemon keeps a clone."),
        Field(
            "interval", .string(.duration), fallback: "30s",
            text: "Time after which everything is looked at again, whatever changes were told."),
        Field("suspend", .boolean, fallback: false, text: "True: nothing is applied, corrected or deleted."),
        Field(
            "drift", .words(of: SourceSpec.Drift.self), fallback: "Correct",
            text: "What happens to changes by others to fields that are declared here."),
        Field("prune", .boolean, fallback: true, text: "True: what is no longer declared is deleted."),
        Field(
            "pruneLimitPercent", .integer(0...100), fallback: 50,
            text:
                "The share of its objects that one sync deletes, one at least; more, and all of them at once, waits for 'sync --force'. 0: none, 100: all."
        ),
        Field(
            "timeoutSeconds", .integer(1...86_400), fallback: 300,
            text: "Seconds after a change within which all its agents must be Ready."),
    ]
}
