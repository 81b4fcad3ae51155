import Manifests
import Values

struct Suspend: Verb {
    static let name = "suspend"
    static let usage = "suspend AGENT… | KIND/NAME…"
    static let text = "Stop agents, or pause Sources, and keep all else of them."
    static let operands = Operands.names(.agent)

    let selection = Selection()
    @Flag("freeze", "agents keep their memory and get no time, where the driver can") var freezes

    func run(_ invocation: Invocation) throws -> ExitCode {
        try Suspension(isOn: true, mode: freezes ? "Freeze" : nil).run(selection, invocation)
    }
}

struct Resume: Verb {
    static let name = "resume"
    static let usage = "resume AGENT… | KIND/NAME…"
    static let text = "Let suspended agents, or Sources, go on."
    static let operands = Operands.names(.agent)

    let selection = Selection()

    func run(_ invocation: Invocation) throws -> ExitCode {
        try Suspension(isOn: false, mode: nil).run(selection, invocation)
    }
}

/// Sets the field `suspend` of objects.
private struct Suspension {
    let isOn: Bool
    /// What becomes of the memory of agents; nil: as the agent says.
    let mode: String?

    func run(_ selection: Selection, _ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let done = isOn ? "suspended" : "resumed"
        let targets = try selection.targets(
            invocation.words, usual: .agent, among: mode == nil ? [.agent, .source] : [.agent],
            does: mode == nil ? done : "frozen", invocation, session)
        return try session.each(targets) { target in
            let (_, isChanged) = try session.change(selection.path(target), manager: "agentos-\(done)") { object in
                let isSame =
                    (object.node[path: "spec", "suspend"]?.bool ?? false) == isOn
                    && (mode == nil || object.node[path: "spec", "suspendMode"]?.string == mode)
                let spec = Node.map([("suspend", Node(.bool(isOn))), ("suspendMode", mode.map(Node.text))])
                return isSame ? nil : .map([("spec", spec)])
            }
            let not = isOn ? "is suspended already" : "is not suspended"
            try Terminal.print("\(target.shown) \(isChanged ? done : not)")
        }
    }
}
