import CLinux

/// Packs what helps to see from elsewhere what is wrong.
struct SupportBundle: Verb {
    static let name = "support-bundle"
    static let usage = "support-bundle [FILE]"
    static let operands = Operands.files
    static let text = "Pack what helps to see what is wrong, without Secrets, tokens, keys and variables (.tar.gz)."

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count <= 1 else { throw invocation.usage("expected one FILE") }
        let path = invocation.words.first ?? "agentos-support.tar.gz"
        var files = try SupportFiles(invocation)
        try files.gather()
        var archive = GzipArchive(seconds: agentos_wall_ms() / 1000)
        for file in files.files { archive.add("agentos-support/\(file.name)", file.content) }
        try LocalFile.write(archive.bytes, to: path)
        let names = files.files.map { "  \($0.name)  \($0.content.count) bytes" }
        try Terminal.print("\(path) holds\n\(names.joined(separator: "\n"))\nLook at it before you give it to others.")
        return .success
    }
}
