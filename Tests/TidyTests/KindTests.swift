import Manifests
import Support
import Testing

/// A kind is a value: only its own folders, and the tables of them, tell kinds apart.
@Suite struct KindTests {
    private static let homes = ["Sources/Manifests/", "Sources/Reconciler/Kinds/", "Sources/agentos-apply/"]

    /// Where one kind is still asked for by its name.
    private static let known: [String: String] = [
        "Sources/API/Access/AccountTokens.swift: kind == .serviceAccount": "tokens are of accounts",
        "Sources/API/Streams/CommandRequest.swift: kind == .agent": "commands are of agents and of their pods",
        "Sources/API/Streams/Commands.swift: kind == .agent": "commands are of agents and of their pods",
        "Sources/GitOps/ManifestFile.swift: kind == .secret":
            "values that stand elsewhere are read beside the manifest",
    ]

    private static let names = Set(
        Kind.allCases.map { $0.rawValue.prefix(1).lowercased() + String($0.rawValue.dropFirst()) })

    private static func tellingKindsApart(in files: [SwiftCode]) -> [String] {
        files.flatMap { file in
            let switches = Switch.all(in: file).filter { found in
                let words = found.patterns.flatMap { $0.split { !$0.isLetter } }.map(String.init)
                return found.subject.contains("ind") && Set(words).intersection(names).count > 1
            }.map { "\(file.path): switch \($0.subject)" }
            let comparisons = file.bare.flatMap { line in
                names.sorted().filter { name in
                    line.firstRange(of: "kind == .\(name)").map { range in
                        !(line[range.upperBound...].first?.isLetter ?? false)
                    } ?? false
                }.map { "\(file.path): kind == .\($0)" }
            }
            return switches + comparisons
        }
    }

    @Test func onlyTheFoldersOfKindsTellThemApart() {
        let files = House.code.filter { file in
            file.path.hasPrefix("Sources/") && !Self.homes.contains(where: file.path.hasPrefix)
        }
        #expect(offences(Self.tellingKindsApart(in: files), besides: Self.known) == [])
        let bad = SwiftCode(
            path: "x",
            text: """
                switch object.kind {
                case .agent: a()
                case .secret, .configMap: b()
                }
                if key.kind == .agent { c() }
                if operation.kind == .start, kind == .agentOfOld { d() }
                """)
        #expect(Self.tellingKindsApart(in: [bad]).count == 2)
    }
}
