import Glibc
import HTTPClient
import Manifests
import Values

struct Edit: Verb {
    static let name = "edit"
    static let usage = "edit KIND NAME"
    static let text = "Change an object in an editor: AGENTOS_EDITOR, VISUAL, EDITOR or vi."
    static let operands = Operands.objects

    let namespace = NamespaceOption()

    /// How often an editor is opened for the same object.
    private static let roundsMax = 20

    func run(_ invocation: Invocation) throws -> ExitCode {
        let target = try invocation.target()
        let session = try invocation.session()
        let path = Session.path(target.kind, namespace: namespace.name, name: target.name)
        let live = ObjectView(try session.node("GET", path))
        let edited = EditedText(
            target.kind, namespace: target.kind.isNamespaced ? namespace.name : "", name: target.name)
        let file = try Self.temporary()
        do {
            return try rounds(live, edited, target, path, file, session)
        } catch let problem as CommandProblem {
            throw CommandProblem(problem.code, "\(problem.message)\nYour text is kept in \(file)")
        }
    }

    private func rounds(
        _ live: ObjectView, _ edited: EditedText, _ target: Target, _ path: String, _ file: String, _ session: Session
    ) throws -> ExitCode {
        var text = YAMLWriter.text(live.declared)
        var problems: [String] = []
        for _ in 0..<Self.roundsMax {
            try LocalFile.write(edited.whole(text, problems: problems), to: file)
            try Self.open(file)
            let bytes = try LocalFile.read(file, limit: Limits.inputBytesMax)
            let new = edited.text(of: String(decoding: bytes, as: UTF8.self))
            if new == text, !problems.isEmpty {
                throw CommandProblem(.invalid, "nothing was saved: \(problems.joined(separator: "\n"))")
            }
            if new == text || edited.isEmpty(new) {
                unlink(file)
                try Terminal.print("\(target.shown) not changed")
                return .success
            }
            text = new
            switch edited.read(new, file: file) {
            case .failure(let found): problems = found.lines
            case .success(let node):
                guard let refused = try save(node, live, path, session) else {
                    unlink(file)
                    try Terminal.print("\(target.shown) edited")
                    return .success
                }
                problems = refused
            }
        }
        throw CommandProblem(.invalid, "nothing was saved in \(Self.roundsMax) rounds")
    }

    /// Puts the object where it was, if it is still the version that was opened; what is wrong with it, or nil.
    private func save(_ node: Node, _ live: ObjectView, _ path: String, _ session: Session) throws -> [String]? {
        var node = node
        var metadata = node["metadata"] ?? .emptyMap
        metadata["resourceVersion"] = .text(live.version)
        metadata["namespace"] = live.node[path: "metadata", "namespace"]
        node["metadata"] = metadata
        var request = Client.Request(
            "PUT", path, query: [("fieldManager", "agentos-edit"), ("fieldValidation", "Strict")])
        request.headers = ["Content-Type: application/json"]
        request.body = JSONWriter.bytes(node)
        let response = try session.answer(request)
        if response.isSuccess { return nil }
        let problem = session.problem(response)
        switch response.status {
        case 400, 422: return [problem.message]
        case 409:
            throw CommandProblem(
                .conflict,
                "\(problem.message)\nSomebody has changed it meanwhile: edit it again and take your text over.")
        default: throw problem
        }
    }

    private static func temporary() throws -> String {
        var template = Array("\(Paths.environment("TMPDIR") ?? "/tmp")/agentos-edit.XXXXXX.yaml".utf8CString)
        let fd = mkstemps(&template, 5)
        guard fd >= 0 else {
            throw CommandProblem(.failure, "cannot make a temporary file: \(String(cString: strerror(errno)))")
        }
        close(fd)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// An editor may have options: it is a command of the shell.
    private static func open(_ file: String) throws {
        let names = ["AGENTOS_EDITOR", "VISUAL", "EDITOR"]
        let editor = names.lazy.compactMap(Paths.environment).first ?? "vi"
        let code = try LocalProgram(["/bin/sh", "-c", "\(editor) \"$1\"", "agentos-edit", file]).end()
        guard code == 0 else {
            let hint = code == 127 ? "; set EDITOR to one that is there" : ""
            throw CommandProblem(.failure, "the editor \"\(editor)\" ended with code \(code)\(hint); nothing was saved")
        }
    }
}
