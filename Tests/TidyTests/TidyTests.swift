import Foundation
import Manifests
import Testing
import Values

/// The rules of the house that a program can check.
@Suite struct TidyTests {
    static let root: URL = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url
    }()

    static func files(_ directory: String, _ suffix: String) -> [(path: String, text: String)] {
        let base = root.appendingPathComponent(directory)
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { name in
            (
                "\(directory)/\(name)",
                (try? String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)) ?? ""
            )
        }
    }

    static func text(_ path: String) -> String {
        (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }

    static let sources = files("Sources", ".swift")

    /// What each module may import, from the architecture.
    private static let imports: [(directory: String, allowed: Set<String>)] = [
        ("Sources/Values", ["CYAML", "CCrypto"]),
        ("Sources/Machine", ["Values", "CLinux", "Glibc", "Synchronization"]),
        ("Sources/HTTP", ["Machine", "Values", "CMicroHTTPD", "CLinux", "Glibc"]),
        ("Sources/GRPC", ["Machine", "Values", "CNGHTTP2", "CLinux", "Glibc"]),
        ("Sources/Manifests", ["Values"]),
        ("Sources/Reconciler/Planner", ["Manifests", "Values"]),
        ("Sources/Reconciler", ["Planner", "Manifests", "Values"]),
        (
            "Sources/Loop",
            ["Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux", "Synchronization"]
        ),
        ("Sources/Storage", ["Reconciler", "Planner", "Manifests", "Values", "CSQLite", "CLinux", "Glibc"]),
        (
            "Sources/Messaging",
            ["Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux", "Glibc", "Synchronization"]
        ),
        (
            "Sources/Drivers",
            [
                "Reconciler", "Planner", "Manifests", "GRPC", "Machine", "Values", "CArchive", "CSeccomp",
                "CLinux", "Glibc", "Synchronization",
            ]
        ),
        ("Sources/GitOps", ["Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux", "Glibc"]),
        (
            "Sources/API",
            ["Loop", "HTTP", "Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux", "Glibc"]
        ),
        (
            "Sources/agentos-apply",
            [
                "API", "Loop", "Reconciler", "Planner", "Storage", "Messaging", "Drivers", "GitOps", "Manifests",
                "Machine", "Values", "CCurl", "CLinux", "Glibc", "Synchronization",
            ]
        ),
    ]

    @Test func modulesImportOnlyWhatTheyMay() {
        #expect(Self.sources.count > 50)
        for (path, text) in Self.sources {
            guard
                let rule = Self.imports.filter({ path.hasPrefix("\($0.directory)/") }).max(by: {
                    $0.directory.count < $1.directory.count
                })
            else {
                Issue.record("\(path) belongs to no module of the architecture")
                continue
            }
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index <= 1, index + 1 < words.count else { continue }
                #expect(rule.allowed.contains(String(words[index + 1])), "\(path): \(line)")
                // A C library stays inside its module.
                if words[index + 1].hasPrefix("C"), words[index + 1] != "CLinux" {
                    #expect(words[0] == "internal" || words[0] == "import", "\(path): \(line)")
                }
            }
        }
    }

    @Test func thePackageHasNoDependencies() {
        let package = Self.text("Package.swift")
        #expect(!package.isEmpty && !package.contains(".package("))
        #expect(!FileManager.default.fileExists(atPath: Self.root.appendingPathComponent("Package.resolved").path))
    }

    /// Each with its reason beside it.
    private static let unchecked: Set<String> = [
        "Sources/Storage/SQLiteStore.swift", "Sources/Machine/LoopExecutor.swift",
    ]

    /// The places where tasks begin: one function each, so that they stay on their owner's thread.
    private static let spawns: Set<String> = ["Sources/Drivers/Containerd/ContainerdKeeper.swift"]

    @Test func dangerousWordsAreRareAndExplained() {
        for (path, text) in Self.sources {
            for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let place = "\(path):\(number + 1): \(line)"
                #expect(!line.contains("try!"), "\(place)")
                #expect(!line.contains(" as!"), "\(place)")
                #expect(!line.contains("Task.sleep"), "\(place)")
                if line.contains("Task {") {
                    #expect(Self.spawns.contains(path) && text.components(separatedBy: "Task {").count == 2, "\(place)")
                }
                if line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                    #expect(Self.unchecked.contains(path), "\(place)")
                    #expect(line.contains("//") || text.contains("/// "), "\(place): give the reason beside it")
                }
                if line.contains("switch"), line.contains("default:") { Issue.record("\(place)") }
            }
        }
    }

    @Test func filesStayReadable() {
        for (path, text) in Self.sources + Self.files("Tests", ".swift") {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(lines <= 600, "\(path) has \(lines) lines")
            #expect(!text.contains("TODO") || path.hasPrefix("Tests/TidyTests"), "\(path) has an open end")
        }
    }

    @Test func theCodeIsFormatted() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.currentDirectoryURL = Self.root
        process.arguments = ["swift", "format", "lint", "--strict", "-r", "Sources", "Tests", "Package.swift"]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let output = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: output.prefix(4000), as: UTF8.self))")
    }

    @Test func allExamplesAreValid() {
        let examples = Self.files("Examples/manifests", ".yaml")
        #expect(examples.count >= 5)
        for (path, text) in examples {
            var diagnostics = Diagnostics()
            let manifests = ManifestReader.read(
                Array(text.utf8), file: path, namespace: "default", diagnostics: &diagnostics)
            #expect(diagnostics.isEmpty && !manifests.isEmpty, "\(diagnostics.kept.map(\.description))")
        }
    }

    /// Commands in the documents are commands of the program, with options that it has.
    @Test func documentedCommandsAreReal() {
        let verbs =
            Self.text("Sources/agentos-apply/CommandLine/Verb.swift")
            + Self.text("Sources/agentos-apply/CommandLine/Invocation.swift")
        var count = 0
        for (path, text) in Self.files(".", ".md").filter({ !$0.path.contains(".build") }) {
            for line in text.split(separator: "\n") {
                guard let range = line.range(of: "agentos-apply "),
                    line.contains("`agentos-apply ") || line.hasPrefix("$ agentos-apply ")
                        || line.hasPrefix("agentos-apply ")
                else { continue }
                let words = line[range.upperBound...].prefix { !"`|#;)".contains($0) }.split(separator: " ")
                guard let verb = words.first else { continue }
                count += 1
                if !verb.hasPrefix("-") { #expect(verbs.contains("name: \"\(verb)\""), "\(path): \(line)") }
                for word in words where word.hasPrefix("--") && word != "--" {
                    let name = word.dropFirst(2).prefix { $0.isLetter || $0 == "-" }
                    #expect(verbs.contains("Option(\"\(name)\"") || verbs.contains("\"\(name)\""), "\(path): \(line)")
                }
            }
        }
        #expect(count > 5)
        for script in Self.text("README.md").split(whereSeparator: { " `\n()".contains($0) })
        where script.hasPrefix("scripts/") {
            #expect(
                FileManager.default.isExecutableFile(atPath: Self.root.appendingPathComponent(String(script)).path),
                "\(script)")
        }
    }

    /// An implemented capability names a test that exists.
    @Test func capabilitiesNameTheirTests() {
        let tests = Self.files("Tests", ".swift").map(\.text).joined()
        var implemented = 0
        for line in Self.text("CAPABILITIES.md").split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count >= 3, cells[1] != "State", !cells[0].hasPrefix("-") else { continue }
            #expect(["Target", "IterationScope", "Implemented"].contains(cells[1]), "\(line)")
            guard cells[1] == "Implemented" else { continue }
            implemented += 1
            for name in cells[2].split(separator: ",") {
                let test = name.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
                #expect(tests.contains("func \(test)("), "\(cells[0]) names \(test), which is not there")
            }
        }
        #expect(implemented > 20)
    }

    /// What the threat model says is tested by what it names.
    @Test func theThreatModelNamesItsTests() {
        let tests = Self.files("Tests", ".swift").map(\.text).joined()
        let words = Self.text("Documentation/security.md").split(separator: "`").enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
        let names = words.filter { $0.count > 20 && $0.allSatisfy { $0.isLetter || $0.isNumber } }
        #expect(names.count > 10)
        for name in names { #expect(tests.contains("func \(name)("), "\(name)") }
    }

    /// Every promise of the architecture is named by a test.
    @Test func promisesAreNamedByTests() {
        let tests = Self.files("Tests", ".swift").filter { !$0.path.contains("Tidy") }.map(\.text).joined()
        let simulated = [1, 2, 3, 4, 5, 7, 8]
        #expect(tests.contains("Promises 1 to 5, 7 and 8,"))
        for promise in 1...11 where !simulated.contains(promise) {
            #expect(tests.contains("/// Promise \(promise):"), "promise \(promise)")
        }
    }
}
