package import Manifests
import Values

/// A verb of the command line: its options are its stored properties.
package protocol Verb: SendableMetatype {
    static var name: String { get }
    static var usage: String { get }
    static var text: String { get }
    /// What its words name.
    static var operands: Operands { get }
    /// Deletes or overwrites: it is not suggested for a word that may have meant something harmless.
    static var doesHarm: Bool { get }
    /// After these words comes another program's command line, which is nobody else's to read.
    static var wordsBeforeCommand: Int? { get }

    init()
    func run(_ invocation: Invocation) throws -> ExitCode
}

extension Verb {
    package static var operands: Operands { .nothing }
    package static var doesHarm: Bool { false }
    package static var wordsBeforeCommand: Int? { nil }
}

/// What the words of a verb name.
package indirect enum Operands: Equatable, Sendable {
    case nothing
    /// `KIND NAME…` or `KIND/NAME…`.
    case objects
    /// Names of objects of one kind, which may stand before them.
    case names(Kind)
    case kinds
    case files
    case verbs
    /// One of these words, and what follows it.
    case words([String], then: Operands = .nothing)
}

package enum Verbs {
    package static let all: [any Verb.Type] = [
        Apply.self, Create.self, Edit.self, Plan.self, Delete.self, Diff.self, Sync.self, Get.self, Status.self,
        Describe.self,
        Why.self, Explain.self, Logs.self, Exec.self, Attach.self, PortForward.self, Copy.self, Top.self, Events.self,
        Wait.self,
        Scale.self, Suspend.self, Resume.self,
        Restart.self, Rollout.self, Label.self, Annotate.self, Auth.self, ApiResources.self, Validate.self, Schema.self,
        Backup.self, Restore.self, Slo.self, Outbox.self, Secrets.self, Doctor.self, SupportBundle.self, Version.self,
        Kubeconfig.self, Completion.self,
        DaemonVerb.self, Help.self,
    ]

    /// What shells call, and nobody else.
    private static let hidden: [any Verb.Type] = [Complete.self]

    package static func named(_ name: String) -> (any Verb.Type)? { (all + hidden).first { $0.name == name } }

    /// `; did you mean "x"?`, or nothing. What does harm is meant only when a single letter is wrong.
    package static func suggestion(for word: String) -> String {
        let harmless = all.filter { !$0.doesHarm }.map { $0.name }
        let harmful = all.filter { $0.doesHarm }.map { $0.name }
        let near = Suggestion.nearest(to: word, among: harmful, within: 1)
        return Suggestion.text(for: word, among: harmless + (near.map { [$0] } ?? []))
    }

    /// The list of verbs, or the help of one.
    package static func overview(_ name: String?) -> String {
        if let name, named(name) != nil, let invocation = try? Invocation([name]) { return invocation.helpText }
        var out = "agentos-apply declares, runs and observes AI agents on this machine.\n\n"
        out +=
            "  agentos-apply -f manifest.yaml     apply\n  agentos-apply status               see what runs\n\ncommands:\n"
        let width = all.map { $0.name.count }.max() ?? 0
        for verb in all {
            out += "  \(verb.name)\(String(repeating: " ", count: width + 2 - verb.name.count))\(verb.text)\n"
        }
        out += "\nexit codes: \(ExitCode.table)\n"
        return out + "See 'agentos-apply COMMAND --help' for the options of a command.\n"
    }
}
