/// Manual pages in roff, made of the description of the verbs.
package enum ManualPage {
    /// The file's name, and its text, of each page.
    package static var all: [(name: String, text: String)] {
        [("agentos-apply.1", overview)] + Verbs.all.map { ("agentos-apply-\($0.name).1", page($0)) }
    }

    private static func head(_ name: String, _ text: String) -> String {
        let title = escaped(name.uppercased())
        let line = text.split(separator: ".").first.map(String.init) ?? text
        return ".TH \"\(title)\" 1 \"\" \"agentos-apply \(programVersion)\" \"agentos-apply\"\n"
            + ".SH NAME\n\(escaped(name)) \\- \(escaped(line.prefix(1).lowercased() + line.dropFirst()))\n"
    }

    package static var overview: String {
        var out = head("agentos-apply", "declare, run and observe AI agents on this machine.")
        out += ".SH SYNOPSIS\n.B agentos\\-apply\n[\\fIoptions\\fR] [\\fIcommand\\fR] [\\fIword\\fR ...]\n"
        out += ".SH DESCRIPTION\nWithout a command, manifests are applied.\n.SH COMMANDS\n"
        for verb in Verbs.all {
            out += ".TP\n.BR \(escaped("agentos-apply-\(verb.name)")) (1)\n\(line(verb.text))\n"
        }
        return out + exitCodes
    }

    package static func page(_ verb: any Verb.Type) -> String {
        var out = head("agentos-apply-\(verb.name)", verb.text)
        out += ".SH SYNOPSIS\n.B agentos\\-apply\n\(line(verb.usage))\n"
        out += ".SH DESCRIPTION\n\(line(verb.text))\n.SH OPTIONS\n"
        let options = (try? Invocation(verb: verb.init(), words: []))?.options.map(\.description) ?? []
        for option in options {
            let short = option.short.map { "\\fB\\-\($0)\\fR, " } ?? ""
            let value = option.value.map { " \\fI\(escaped($0))\\fR" } ?? ""
            out += ".TP\n\(short)\\fB\\-\\-\(escaped(option.name))\\fR\(value)\n\(line(option.text))\n"
        }
        return out + exitCodes + ".SH SEE ALSO\n.BR agentos\\-apply (1)\n"
    }

    private static var exitCodes: String {
        ".SH EXIT STATUS\n" + ExitCode.rows.map { ".TP\n.B \($0.code)\n\(line($0.meaning))\n" }.joined()
    }

    /// A line of text, which must not be taken for a request.
    private static func line(_ text: String) -> String {
        let text = escaped(text)
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&\(text)" : text
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("…", with: "...")
    }
}
