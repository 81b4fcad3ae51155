import Drivers
import Manifests

struct Explain: Verb {
    static let name = "explain"
    static let usage = "explain KIND[.FIELD…]"
    static let text = "Show what a kind or one of its fields means, its type, default and range; needs no daemon."
    static let operands = Operands.kinds

    @Flag("recursive", "also all fields below") var isRecursive

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 1 else { throw invocation.usage("give one KIND or KIND.FIELD") }
        let word = invocation.words[0]
        // `agents.agentos.dev` is a kind, and `agents.spec` a field of one.
        var parts = word.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let named = Kind.named(word)
        let kind = try named ?? kind(parts[0], invocation)
        parts = named == nil ? Array(parts.dropFirst()) : []
        let explanation = FieldExplanation(
            width: Terminal.columns ?? 80, isRecursive: isRecursive, drivers: .all)
        let text: String
        do throws(Mistake) { text = try explanation.text(kind, parts) } catch { throw invocation.usage(error.message) }
        try Terminal.print(text)
        return .success
    }
}
