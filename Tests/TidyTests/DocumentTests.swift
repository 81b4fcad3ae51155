import Drivers
import Glibc
import Manifests
import Resources
import Support
import Testing
import Values

/// What is written beside the code is true.
@Suite struct DocumentTests {
    @Test func allExamplesAreValid() {
        let examples = House.files("Examples/manifests", ".yaml")
        // The manifests in the documents, at the lines where they stand.
        let shown = House.documents.flatMap { file in
            file.text.split(separator: "```").filter { $0.hasPrefix("yaml\napiVersion:") }.map {
                House.File(path: file.path, text: String($0.dropFirst(5)))
            }
        }
        #expect(examples.count >= 5 && shown.count >= 3)
        for file in examples + shown {
            var diagnostics = Diagnostics()
            let manifests = ManifestReader.read(
                Array(file.text.utf8), file: file.path, namespace: "default", drivers: .all, diagnostics: &diagnostics)
            #expect(diagnostics.isEmpty && !manifests.isEmpty, "\(diagnostics.kept.map(\.description))")
        }
    }

    @Test func eachDecisionHasANumberOfItsOwn() {
        let numbers = House.files("Documentation/decisions", ".md").map { $0.path.split(separator: "/")[2].prefix(4) }
        let doubles = Dictionary(grouping: numbers, by: \.self).filter { $0.value.count > 1 }.keys
        #expect(doubles.isEmpty && numbers.count > 20 && numbers.allSatisfy { $0.hasSuffix("-") })
    }

    // MARK: Commands

    /// Commands in the documents are commands of the program, with options that it has.
    @Test func documentedCommandsAreReal() {
        inWorld { world in
            let grammar = Grammar(world)
            let mentions = House.documents.flatMap(Mention.all)
            for mention in mentions {
                let complaint = mention.complaint(grammar)
                #expect(complaint == nil, "\(mention.place): \(mention.words.joined(separator: " "))")
            }
            // Every form is found: inline, fenced and indented, also behind another command.
            #expect(mentions.count > 30)
            let readme = mentions.filter { $0.place.hasPrefix("README.md:") }
            #expect(readme.contains { $0.words.starts(with: ["daemon", "start", "--host-path"]) })
            #expect(readme.contains { $0.words == ["status"] })

            let bad = House.File(
                path: "x.md",
                text: """
                    `agentos-apply fly`, `agentos-apply get agents --high`, `agentos-apply logs NAME --tail`
                    ```
                    $ true && AGENTOS_STATE_DIR=x agentos-apply status -A; agentos-apply get -q | cat
                    ```
                    text

                        agentos-apply exec one -- ls --color      # agentos-apply fly
                        agentos-apply delete agent one --grace-period
                    """)
            let found = Mention.all(in: bad)
            #expect(found.count == 7)
            #expect(
                found.compactMap { $0.complaint(grammar) } == [
                    "no verb \"fly\"", "get has no option --high", "--tail needs a value", "get has no option -q",
                    "--grace-period needs a value",
                ])
        }
    }

    /// What the README shows first happens when it is typed.
    @Test func theFirstExampleHappensAsShown() {
        inWorld { world in
            let block = House.text("README.md").split(separator: "```").first { $0.contains("$ agentos-apply") } ?? ""
            var expected: [Substring] = []
            var shown: [Substring] = []
            for line in block.split(separator: "\n") {
                guard line.hasPrefix("$ agentos-apply ") else {
                    expected.append(line)
                    continue
                }
                var words = line.split(separator: " ").dropFirst(2).map(String.init)
                if words.first == "-f" {
                    words[1] = "\(House.root)/\(words[1])"
                } else {
                    World.until("the agent is Ready") { world.phase("hello") == "Ready" }
                }
                let result = world.run(words)
                #expect(result.code == 0, "\(line): \(result.text)")
                shown += result.output.split(separator: "\n").map { Substring($0) }
            }
            // Blanks align columns, and the last one is an age.
            func isAge(_ word: Substring) -> Bool {
                guard let last = word.last, last == "s" || last == "m" else { return false }
                return word.first?.isNumber == true && word.allSatisfy { $0.isNumber || $0 == "m" || $0 == "s" }
            }
            func plain(_ lines: [Substring]) -> [[Substring]] {
                lines.map { line in line.split(separator: " ").map { isAge($0) ? "0s" : $0 } }
            }
            #expect(expected.count == 3)
            #expect(plain(shown) == plain(expected))
        }
    }

    @Test func whatTheDocumentsNameIsThere() {
        for file in House.documents {
            // Scripts, and the targets of links.
            let scripts = file.text.split(whereSeparator: { " `\n()".contains($0) }).filter { $0.hasPrefix("scripts/") }
            for script in scripts { #expect(World.isExecutable("\(House.root)/\(script)"), "\(file.path): \(script)") }
            let directory = file.path.lastIndex(of: "/").map { "\(file.path[..<$0])/" } ?? ""
            for piece in file.text.split(separator: "](").dropFirst() {
                let target = piece.prefix { $0 != ")" && $0 != "#" }
                if target.isEmpty || target.contains("://") { continue }
                #expect(World.exists("\(House.root)/\(directory)\(target)"), "\(file.path): \(target)")
            }
        }
    }

    @Test func thePageOfCompatibilityIsThatOfTheTable() {
        let path = "\(House.root)/Documentation/api-compatibility.md"
        if getenv("AGENTOS_WRITE_DOCUMENTS") != nil, let file = fopen(path, "w") {
            fputs(CompatibilityPage.text, file)
            fclose(file)
        }
        #expect(World.read(path) == CompatibilityPage.text)
    }

    /// The table of the architecture has a row for every module, and no other.
    @Test func thePageOfTheArchitectureNamesEveryModule() {
        let page = House.text("Documentation/architecture.md").split(separator: "\n")
        let rows = page.drop { $0 != "## Modules" }.dropFirst().prefix { !$0.hasPrefix("## ") }
            .filter { $0.hasPrefix("| `") }.map { String($0.dropFirst(3).prefix { $0 != "`" }) }
        let files = House.sources + House.files("Sources/agentos-supervise", ".c")
        let modules = Set(files.compactMap { ModuleTests.module(of: $0.path) })
        #expect(Set(rows) == modules && rows.count == modules.count)
    }

    // MARK: Proofs

    /// What the threat model says is tested by what it names.
    @Test func theThreatModelNamesItsTests() {
        let words = House.text("Documentation/security.md").split(separator: "`", omittingEmptySubsequences: false)
            .enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        let names = words.filter { $0.count > 20 && $0.allSatisfy { $0.isLetter || $0.isNumber } }
        #expect(names.count > 10)
        for name in names { #expect(House.testFiles[name] != nil, "\(name)") }
    }

    /// Every promise of the architecture is named by the test that proves it.
    @Test func promisesAreNamedByTests() {
        let architecture = House.text("Documentation/architecture.md")
        let promises = architecture.split(separator: "\n").drop { !$0.hasPrefix("## Promises") }.dropFirst()
            .prefix { !$0.hasPrefix("## ") }.compactMap { Int($0.prefix { $0.isNumber }) }
        #expect(promises == Array(1...11))
        let tests = House.tests.filter { !$0.path.contains("Tidy") }.map(\.text).joined()
        let simulated = [1, 2, 3, 4, 5, 7, 8]
        #expect(tests.contains("Promises 1 to 5, 7 and 8,"))
        for promise in promises where !simulated.contains(promise) {
            #expect(tests.contains("/// Promise \(promise):"), "promise \(promise)")
        }
    }
}

extension Substring {
    /// Without blanks and backquotes around it.
    var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "`" }
        while text.last == " " || text.last == "`" { text = text.dropLast() }
        return text
    }
}
