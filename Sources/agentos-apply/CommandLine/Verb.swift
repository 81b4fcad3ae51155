/// A verb of the command line: its options are its stored properties.
package protocol Verb: SendableMetatype {
    static var name: String { get }
    static var usage: String { get }
    static var text: String { get }
    /// After these words comes another program's command line, which is nobody else's to read.
    static var wordsBeforeCommand: Int? { get }

    init()
    func run(_ invocation: Invocation) throws -> ExitCode
}

extension Verb {
    package static var wordsBeforeCommand: Int? { nil }
}

package enum Verbs {
    package static let all: [any Verb.Type] = [
        Apply.self, Delete.self, Diff.self, Sync.self, Get.self, Status.self, Describe.self, Logs.self, Exec.self,
        Top.self, Events.self, Wait.self, Validate.self, Schema.self, Backup.self, Restore.self, Outbox.self,
        Secrets.self, Version.self, Kubeconfig.self, DaemonVerb.self, Help.self,
    ]

    package static func named(_ name: String) -> (any Verb.Type)? { all.first { $0.name == name } }

    /// The list of verbs, or the help of one.
    package static func overview(_ name: String?) -> String {
        if let name, named(name) != nil, let invocation = try? Invocation([name]) { return invocation.helpText }
        var out = "agentos-apply declares, runs and observes AI agents on this machine.\n\n"
        out +=
            "  agentos-apply -f manifest.yaml     apply\n  agentos-apply status               see what runs\n\ncommands:\n"
        for verb in all {
            out += "  \(verb.name)\(String(repeating: " ", count: 12 - verb.name.count))\(verb.text)\n"
        }
        out += "\nexit codes: \(ExitCode.table)\n"
        return out + "See 'agentos-apply COMMAND --help' for the options of a command.\n"
    }
}
