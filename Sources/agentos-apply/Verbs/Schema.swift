import Drivers
import Manifests
import Values

struct Schema: Verb {
    static let name = "schema"
    static let usage = "schema [KIND]"
    static let operands = Operands.kinds
    static let text = "Print the JSON Schema of manifests."

    func run(_ invocation: Invocation) throws -> ExitCode {
        let word = invocation.words.first
        let kind = try word.map { word in try agentos_apply.kind(word, invocation) }
        try Terminal.print(JSONWriter.text(JSONSchema.node(for: kind, drivers: .all), pretty: true))
        return .success
    }
}
