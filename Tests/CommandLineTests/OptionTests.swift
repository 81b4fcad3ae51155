import Support
import Testing
import agentos_apply

/// A verb with an option of each kind.
private struct Probe: Verb {
    static let name = "probe"
    static let usage = "probe"
    static let text = "For tests."

    enum Colour: String, Choice {
        case red, green
    }

    @Option("name", short: "n", value: "NAME", "one") var given: String?
    @Option("path", short: "p", value: "PATH", "many") var paths: [String]
    @Option("count", value: "N", in: 0...9, "a number") var count: Int?
    @Option("time", value: "TIME", "a time") var time: Span?
    @Option("colour", short: "c", value: "COLOUR", "a choice") var colour = Colour.red
    @Flag("all", short: "A", "a flag") var isAll
    @Flag("watch", short: "w", "a flag") var watches

    func run(_ invocation: Invocation) throws -> ExitCode { .success }

    static func parse(_ words: String...) throws -> (verb: Probe, words: [String]) {
        let verb = Probe()
        return (verb, try Invocation(verb: verb, words: words).words)
    }
}

/// A verb that ends in the command line of another program.
private struct Carrier: Verb {
    static let name = "carrier"
    static let usage = "carrier"
    static let text = "For tests."
    static let wordsBeforeCommand: Int? = 1

    @Flag("stdin", short: "i", "a flag") var reads

    func run(_ invocation: Invocation) throws -> ExitCode { .success }
}

@Suite struct OptionTests {
    @Test func optionsAreTypedAndStandAnywhere() throws {
        let (verb, words) = try Probe.parse(
            "one", "--name", "x", "-p", "a", "-pb", "--path=c=d", "--count", "7", "--time", "1m", "two", "-Awc",
            "green",
            "--", "-n")
        #expect(verb.given == "x" && verb.paths == ["a", "b", "c=d"] && verb.count == 7)
        #expect(verb.time == Span(ms: 60_000) && verb.colour == .green && verb.isAll && verb.watches)
        #expect(words == ["one", "two", "-n"])
    }

    @Test func whatIsNotGivenHasItsDefault() throws {
        let verb = try Probe.parse().verb
        #expect(verb.given == nil && verb.paths.isEmpty && verb.count == nil && verb.time == nil)
        #expect(verb.colour == .red && !verb.isAll)
    }

    @Test(arguments: [
        (["--nane", "x"], "unknown option --nane; did you mean \"name\"?"),
        (["-x"], "unknown option -x"),
        (["--name"], "--name needs a value: NAME"),
        (["--all=no"], "--all takes no value"),
        (["--count", "10"], "--count: expected a number from 0 to 9, found \"10\""),
        (["--count", "-1"], "--count: expected a number from 0 to 9, found \"-1\""),
        (["--count", "9223372036854775808"], "--count: expected a number from 0 to 9, found \"9223372036854775808\""),
        (["--time", "soon"], "--time: expected a time such as 30s or 5m, found \"soon\""),
        (["--colour", "gren"], "--colour: expected red, green; found \"gren\"; did you mean \"green\"?"),
    ]) func mistakesAreNamed(words: [String], message: String) {
        #expect(
            throws: CommandProblem(.usage, "\(message)\nSee 'agentos-apply probe --help'."), "\(words)"
        ) { try Invocation(verb: Probe(), words: words) }
    }

    @Test(arguments: [
        (["patch", "agent", "x"], "unknown command \"patch\"; 'agentos-apply edit'"),
        (["ps"], "unknown command \"ps\"; 'agentos-apply status' shows what runs"),
        (["apply", "--server-side"], "unknown option --server-side; every apply is one of the server's side"),
        (["delete", "agent", "x", "--wait=false"], "unknown option --wait; it waits without it, and --no-wait"),
        (["apply", "--dry-run=client"], "--dry-run: expected server, or no value; found \"client\""),
        (["delete", "agent", "x", "--dry-run=none"], "--dry-run: expected server, or no value; found \"none\""),
        (["help", "drain"], "unknown command \"drain\"; there is one machine"),
        (["get", "pods"], "agents are what runs, and kubectl sees them as pods"),
        (["get", "all", "x"], "all: give no names with it"),
        (["events", "x"], "unexpected word \"x\": events takes options only"),
        (["get", ""], "unknown kind \"\""), (["get", "agents,"], "unknown kind \"\""),
    ]) func wordsOfKubectlLeadOn(words: [String], hint: String) {
        do {
            let invocation = try Invocation(words)
            _ = try invocation.verb.run(invocation)
            Issue.record("\(words) was taken")
        } catch { #expect((error as? CommandProblem)?.message.contains(hint) == true, "\(error)") }
    }

    @Test(arguments: [
        (["x", "ls", "-la"], ["x", "ls", "-la"]), (["x", "--", "ls", "-la"], ["x", "ls", "-la"]),
        (["-i", "x", "sh", "-c", "echo", "--", "-i"], ["x", "sh", "-c", "echo", "--", "-i"]),
        (["x", "-i", "--", "sh"], ["x", "sh"]),
    ]) func optionsOfACarriedCommandAreItsOwn(words: [String], expected: [String]) throws {
        let verb = Carrier()
        #expect(try Invocation(verb: verb, words: words).words == expected)
        #expect(verb.reads == (words.firstIndex(of: "-i") ?? 9 < 2))
    }

    @Test func anUnknownOptionBeforeACarriedCommandNamesTheWayOut() {
        #expect(throws: CommandProblem.self) { try Invocation(verb: Carrier(), words: ["x", "-l", "ls"]) }
        do { _ = try Invocation(verb: Carrier(), words: ["x", "-l", "ls"]) } catch {
            #expect("\(error)".contains("stand after it, or after --"))
        }
    }

    @Test func verbsHaveNamesOfTheirOwnAndOptionsThatDoNotCollide() throws {
        #expect(Set(Verbs.all.map { $0.name }).count == Verbs.all.count)
        for type in Verbs.all {
            let options = try Invocation([type.name]).options.map(\.description)
            #expect(Set(options.map(\.name)).count == options.count, "\(type.name)")
            let letters = options.compactMap(\.short)
            #expect(Set(letters).count == letters.count, "\(type.name)")
            #expect(type.usage.contains(type.name) && type.text.hasSuffix("."), "\(type.name)")
        }
    }

    @Test func helpShowsWhatTheParserKnows() throws {
        #expect(
            try Invocation(["wait"]).helpText == """
                usage: agentos-apply wait --for CONDITION KIND NAME…

                Wait for objects: until they are Ready, Completed, in a phase, deleted, or a field has a value.

                options:
                  -f, --filename PATH             file, directory or - for standard input; may be repeated
                  -R, --recursive                 also the directories below
                  -n, --namespace NAME            namespace (default: default)
                  -A, --all-namespaces            those of all namespaces
                  -l, --selector LABELS           only objects with these labels: a=b,c!=d
                      --field-selector FIELDS     only objects with these fields: metadata.name=a,status.phase!=Ready
                      --all                       all objects of the kind in the namespace
                      --timeout TIME              longest time to wait, such as 30s, 5m (default: 5m)
                      --for CONDITION             Ready, Completed, phase=P, condition=C[=STATUS], jsonpath={.F}[=V], delete
                      --state-dir DIR             state directory of the daemon
                      --socket PATH               socket of the daemon
                      --kubeconfig FILE           a daemon that listens for others, over TLS, as the user of this file
                      --context NAME              this context of --kubeconfig, KUBECONFIG or ~/.kube/config
                  -h, --help                      this help

                """)
        let overview = Verbs.overview(nil)
        for type in Verbs.all { #expect(overview.contains("  \(type.name) "), "\(type.name)") }
        #expect(Verbs.overview("wait") == (try Invocation(["wait"]).helpText))
    }

    @Test func exitCodesAreThoseThatHelpTells() {
        #expect(
            ExitCode.table
                == "0 success, 1 failure, 2 changes (plan), 3 invalid or refused (slo: a budget is spent), 4 no daemon, "
                + "5 timeout, 6 failed for good, 7 conflict, 64 usage"
        )
        #expect(Verbs.overview(nil).contains("exit codes: \(ExitCode.table)\n"))
        let readme = World.read("\(World.root)/README.md").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(readme.contains("Exit codes: \(ExitCode.table);"))
        for (status, code) in [
            (400, ExitCode.invalid), (401, .invalid), (403, .invalid), (404, .failure), (409, .conflict),
            (413, .invalid),
            (422, .invalid), (500, .failure), (503, .failure),
        ] { #expect(ExitCode(status: status) == code, "\(status)") }
    }
}
