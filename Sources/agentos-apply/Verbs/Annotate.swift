import Values

struct Annotate: Verb {
    static let name = "annotate"
    static let usage = "annotate KIND NAME… KEY=VALUE… KEY-…"
    static let text = "Set and remove annotations of objects."
    static let operands = Operands.objects

    let selection = Selection()
    let options = MetadataOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        try options.run(.annotations, selection, invocation)
    }
}

/// What `label` and `annotate` share.
struct MetadataOptions: OptionGroup {
    @Flag("overwrite", "change keys that have another value") var overwrites
    @Flag("list", "show what the objects have, after the change") var lists
    @Flag("dry-run", also: ["server"], "say what would happen, change nothing") var isDryRun

    enum Part: String {
        case labels, annotations

        var done: String { self == .labels ? "labeled" : "annotated" }
    }

    func run(_ part: Part, _ selection: Selection, _ invocation: Invocation) throws -> ExitCode {
        let start = MetadataChange.start(in: invocation.words)
        let change: MetadataChange
        do throws(Mistake) { change = try MetadataChange(invocation.words[start...]) } catch {
            throw invocation.usage(error.message)
        }
        if change == (try? MetadataChange([])), !lists {
            throw invocation.usage("give KEY=VALUE to set one of the \(part.rawValue), KEY- to remove it, or --list")
        }
        let session = try invocation.session()
        let targets = try selection.targets(Array(invocation.words[..<start]), invocation, session)
        return try session.each(targets) { target in
            let (object, isChanged) = try session.change(
                selection.path(target), manager: "agentos-\(part.rawValue)", isDryRun: isDryRun
            ) { object in
                let present = object.node[path: "metadata", part.rawValue]?.stringMap ?? [:]
                do throws(Mistake) {
                    return try change.patch(present, overwrites: overwrites).map {
                        .map([("metadata", .map([(part.rawValue, $0)]))])
                    }
                } catch {
                    throw CommandProblem(.failure, "\(target.shown): \(error.message)")
                }
            }
            let note = isDryRun ? " (dry run)" : ""
            if lists {
                let present = object.node[path: "metadata", part.rawValue]?.stringMap ?? [:]
                try Terminal.print("\(target.shown)")
                for (key, value) in present.sorted(by: { $0.key < $1.key }) { try Terminal.print("  \(key)=\(value)") }
            } else {
                try Terminal.print("\(target.shown) \(isChanged ? "" : "not ")\(part.done)\(isChanged ? note : "")")
            }
        }
    }
}
