import Support

/// The files of the project, as text.
enum House {
    static let root = World.root

    struct File: Sendable {
        /// From the root of the project on.
        var path: String
        var text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// A line end at the end of the file begins no further line.
        var lineCount: Int { lines.count - (text.hasSuffix("\n") ? 1 : 0) }
    }

    static func files(_ directory: String, _ suffixes: String...) -> [File] {
        World.files("\(root)/\(directory)").filter { path in suffixes.contains { path.hasSuffix($0) } }.map {
            File(path: String($0.dropFirst(root.count + 1)), text: World.read($0))
        }
    }

    static func text(_ path: String) -> String { World.read("\(root)/\(path)") }

    static let sources = files("Sources", ".swift")
    static let tests = files("Tests", ".swift")
    static let code = (sources + tests).map { SwiftCode(path: $0.path, text: $0.text) }
    static let documents =
        World.names(root).filter { $0.hasSuffix(".md") }.map { File(path: $0, text: text($0)) }
        + files("Documentation", ".md") + files("Benchmarks", ".md")

    /// The file of each test function that is not switched off.
    static let testFiles: [Substring: String] = Dictionary(
        code.filter { $0.path.hasPrefix("Tests/") }.flatMap { file in
            file.bare.joined(separator: "\n").split(separator: "@Test").dropFirst().compactMap { piece in
                guard let word = piece.firstRange(of: "func "), !piece[..<word.lowerBound].contains(".disabled") else {
                    return nil
                }
                return (Substring(piece[word.upperBound...].prefix { $0.isLetter || $0.isNumber }), file.path)
            }
        }, uniquingKeysWith: { first, _ in first })
}

/// A list of exceptions, each with its reason: what is found and not listed is an offence, and so is what is listed and not
/// found.
func offences(_ found: some Sequence<String>, besides exceptions: [String: String]) -> [String] {
    let found = Set(found)
    return found.subtracting(exceptions.keys).sorted()
        + exceptions.keys.filter { !found.contains($0) }.sorted().map { "\($0): no longer needs its exception" }
}
