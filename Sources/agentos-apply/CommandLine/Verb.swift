/// A verb of the command line.
struct Verb: Sendable {
    var name: String
    var usage: String
    var text: String
    var options: [Option]
    var run: @Sendable (Invocation) throws -> ExitCode

    var allOptions: [Option] { options + Option.connection + [Option("help", "h", "this help")] }

    static func named(_ name: String) -> Verb? { all.first { $0.name == name } }

    static let all: [Verb] = [
        Verb(
            name: "apply", usage: "[apply] -f PATH… [--wait]", text: "Create or change what the manifests declare.",
            options: [
                .files, .recursive, .namespace, Option("dry-run", "say what would happen, change nothing"),
                Option("wait", "wait until all agents are Ready or have failed for good"), .timeout, .output,
                Option("no-autostart", "fail when no daemon answers instead of starting one"),
            ], run: applyVerb),
        Verb(
            name: "delete", usage: "delete KIND NAME… | -f PATH…", text: "Delete objects and wait until they are gone.",
            options: [
                .files, .recursive, .namespace, .timeout,
                Option("grace-period", value: "SECONDS", "instead of the agent's own; 0 kills at once"),
                Option("no-wait", "return when the deletion is accepted"),
                Option("ignore-not-found", "a missing object is no error"),
                Option("all", "all objects of the kind in the namespace"),
            ], run: deleteVerb),
        Verb(
            name: "diff", usage: "diff -f PATH… | --source NAME",
            text: "Show what applying, or the next sync of a Source, would change; exit code 1 when it would.",
            options: [
                .files, .recursive, .namespace,
                Option("source", value: "NAME", "what the next sync of this Source would change"),
            ], run: diffVerb),
        Verb(
            name: "sync", usage: "sync NAME…", text: "Read Sources and apply what they declare now.",
            options: [
                .namespace, .timeout, Option("force", "delete what is no longer declared, however much it is"),
            ], run: syncVerb),
        Verb(
            name: "get", usage: "get KIND [NAME…]", text: "Show objects.",
            options: [
                .namespace, .allNamespaces, .selector, .output, Option("watch", "w", "go on and show changes"),
                Option("show-secrets", "show the values of Secrets"),
            ], run: getVerb),
        Verb(
            name: "status", usage: "status [NAME…]", text: "Show agents, in all namespaces unless one is given.",
            options: [.namespace, .allNamespaces, .selector, .output, Option("watch", "w", "go on and show changes")],
            run: statusVerb),
        Verb(
            name: "describe", usage: "describe KIND NAME",
            text: "Show one object in full, with conditions, runs and events.",
            options: [.namespace], run: describeVerb),
        Verb(
            name: "logs", usage: "logs AGENT", text: "Show what an agent wrote to its standard output and error.",
            options: [
                .namespace, Option("follow", "f", "go on as the log grows"),
                Option("tail", value: "LINES", "only the last lines"),
                Option("previous", "p", "of the run before"),
                Option("replica", value: "ORDINAL", "of this replica (default: 0)"),
                Option("timestamps", "with the time of each line"),
            ], run: logsVerb),
        Verb(
            name: "exec", usage: "exec [-i] [-t] AGENT -- COMMAND [ARGUMENT…]",
            text: "Run a command where an agent runs: as its user, in its isolation, within its limits.",
            options: [
                .namespace, Option("stdin", "i", "pass on standard input"),
                Option("tty", "t", "with a terminal; implies -i"),
                Option("replica", value: "ORDINAL", "of this replica (default: 0)"),
                Option("timeout", value: "TIME", "kill it after so long, such as 30s (default: no limit)"),
            ], run: execVerb),
        Verb(
            name: "top", usage: "top [AGENT…]", text: "Show what running agents use of processors and memory.",
            options: [.namespace, .allNamespaces], run: topVerb),
        Verb(
            name: "events", usage: "events", text: "Show events in the order of their delivery.",
            options: [
                .namespace, Option("follow", "f", "go on as events come"),
                Option("since-position", value: "N", "only later events"),
                Option("consumer", value: "NAME", "start where this durable consumer stands"),
                Option("ack", "acknowledge what was shown, for --consumer"),
                Option("remove", "forget the --consumer"), .output,
            ], run: eventsVerb),
        Verb(
            name: "wait", usage: "wait --for CONDITION KIND NAME…",
            text: "Wait for objects: --for Ready, Completed, phase=PHASE or deleted.",
            options: [
                .namespace, .timeout,
                Option("for", value: "CONDITION", "Ready, Completed, Scheduled, phase=PHASE, deleted"),
            ], run: waitVerb),
        Verb(
            name: "validate", usage: "validate -f PATH…", text: "Check manifests without a daemon.",
            options: [.files, .recursive, .namespace], run: validateVerb),
        Verb(
            name: "schema", usage: "schema [KIND]", text: "Print the JSON Schema of manifests.", options: [],
            run: schemaVerb),
        Verb(
            name: "backup", usage: "backup FILE",
            text: "Copy the database while the daemon runs. The copy holds secrets.",
            options: [], run: backupVerb),
        Verb(
            name: "restore", usage: "restore FILE", text: "Go back to a backup; the replaced database is kept.",
            options: [], run: restoreVerb),
        Verb(
            name: "outbox", usage: "outbox list | show N | replay N | skip N",
            text: "Look at events whose delivery is stuck, and resolve them.",
            options: [Option("all", "all events that are kept, not only stuck ones"), .output], run: outboxVerb),
        Verb(
            name: "version", usage: "version", text: "Show the versions of command line and daemon.", options: [],
            run: versionVerb),
        Verb(
            name: "daemon", usage: "daemon [start|stop|status]",
            text: "Serve in the foreground, or start, stop or look at a daemon in the background.",
            options: [Option("log-format", value: "FORMAT", "text or json (default: text)")]
                + ContainerRuntimes.options + SourceOptions.options,
            run: daemonVerb),
        Verb(
            name: "help", usage: "help [COMMAND]", text: "Show this, or the help of a command.", options: [],
            run: { _ in .success }),
    ]

    var help: String {
        var out = "usage: agentos-apply \(usage)\n\n\(text)\n\noptions:\n"
        for option in allOptions {
            let short = option.short.map { "-\($0), " } ?? "    "
            let head = "  \(short)--\(option.name)\(option.value.map { " \($0)" } ?? "")"
            out += head + String(repeating: " ", count: max(2, 34 - head.count)) + option.text + "\n"
        }
        return out
    }

    static func overview(_ name: String?) -> String {
        if let name, let verb = named(name) { return verb.help }
        var out = "agentos-apply declares, runs and observes AI agents on this machine.\n\n"
        out +=
            "  agentos-apply -f manifest.yaml     apply\n  agentos-apply status               see what runs\n\ncommands:\n"
        for verb in all { out += "  \(verb.name)\(String(repeating: " ", count: 10 - verb.name.count))\(verb.text)\n" }
        out +=
            "\nexit codes: 0 success, 1 failure, 3 invalid or refused, 4 no daemon, 5 timeout, 6 failed for good, 7 conflict, 64 usage\n"
        return out + "See 'agentos-apply COMMAND --help' for the options of a command.\n"
    }
}
