import Manifests

struct Validate: Verb {
    static let name = "validate"
    static let usage = "validate -f PATH…"
    static let operands = Operands.files
    static let text = "Check manifests without a daemon."

    let manifests = ManifestOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        for manifest in try ManifestFiles.read(manifests, invocation, also: invocation.words) {
            try Terminal.print(
                "\(manifest.file):\(manifest.mark.line): \(manifest.kind.qualifiedSingular)/\(manifest.name) is valid")
        }
        return .success
    }
}
