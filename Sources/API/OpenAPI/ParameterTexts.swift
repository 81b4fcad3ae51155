/// What the parameters of queries mean, as OpenAPI says it.
extension Query {
    static func text(of name: String) -> String { texts[name] ?? "" }

    private static let texts: [String: String] = [
        "labelSelector": "Objects with these labels: a=b, a!=b, a in (b, c), a notin (b, c), a, !a.",
        "fieldSelector": "Objects with these fields: metadata.name=x, and what the resource can be selected by.",
        "watch": "Tells what changes, without an end.",
        "resourceVersion": "At least this version; a watch goes on behind it.",
        "resourceVersionMatch": "Whether exactly that version is wanted, or a later one will do.",
        "allowWatchBookmarks": "A watch tells the version now and then, without an object.",
        "sendInitialEvents": "A watch tells first what there is, and a bookmark ends that.",
        "timeoutSeconds": "When a watch ends.",
        "limit": "How many objects are in one answer; the rest follows by continue.",
        "continue": "Where a list goes on, as the answer before said.",
        "includeObject": "What a row of a Table carries beside its cells.",
        "pretty": "Accepted, of no effect.", "timeout": "Accepted, of no effect.",
        "hash": "Of the document that is asked for; accepted, of no effect.",
        "fieldManager": "Who owns what is written.",
        "fieldValidation": "What happens to unknown fields: refused, told by a header, or dropped.",
        "force": "Fields of other managers are taken over; a Source is read although it was just read.",
        "dryRun": "All: nothing is done, only told what would be.",
        "gracePeriodSeconds": "Seconds to end gracefully; 0 kills at once.",
        "propagationPolicy": "What happens to what it owns.", "orphanDependents": "Older than propagationPolicy.",
        "tailLines": "So many of the last lines.", "ordinal": "Which replica.", "follow": "Goes on without an end.",
        "previous": "The run before the current one.",
        "attempt": "The run of this number, as far as its log is kept.",
        "timestamps": "Each line begins with its time.",
        "container": "Which container; there is one, agent.", "sinceSeconds": "Lines that are no older than this.",
        "sinceTime": "Lines since a time (RFC 3339, UTC).", "limitBytes": "At most so many bytes.",
        "insecureSkipTLSVerifyBackend": "Accepted, of no effect.",
        "command": "The program and its arguments, each as one of these.",
        "stdin": "Whether the command is given input.", "stdout": "Whether its output is wanted.",
        "stderr": "Whether its errors are wanted.", "tty": "Whether it has a terminal.",
        "sincePosition": "Events behind this position.", "consumer": "Goes on where this consumer has got.",
        "namespace": "Of this namespace only.", "position": "How far the consumer has got.",
        "offset": "Where that is in the journal.", "all": "All records, not only those where delivery is stuck.",
    ]
}
