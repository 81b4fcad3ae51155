import Support
import Testing

/// How the code is written. Each rule is a function from files to offences, and is shown a bad file, too.
@Suite struct CodeTests {
    // MARK: Words

    /// Words that need a reason: where they stand, and why they may.
    private static let dangerous: [String: String] = [
        "Sources/Drivers/Containerd/ContainerdKeeper.swift: Task {": "begins all tasks of the actor, on its own thread",
        "Sources/Machine/LoopExecutor.swift: nonisolated(unsafe)": "the loop of the one thread that the actor runs on",
        "Sources/Storage/SQLiteStore.swift: @unchecked Sendable": "called from one thread at a time, as its port says",
    ]

    private static let words = [
        "try!", " as!", "Task.sleep", "Task {", "@unchecked Sendable", "nonisolated(unsafe)", "fatalError(",
        "unsafeBitCast", "unowned(unsafe)",
    ]

    private static func words(in files: [SwiftCode]) -> [String] {
        files.flatMap { file in
            words.filter { word in file.bare.contains { $0.contains(word) } }.map { "\(file.path): \($0)" }
        }
    }

    private static let sources = House.code.filter { $0.path.hasPrefix("Sources/") }

    @Test func dangerousWordsAreRareAndExplained() {
        let found = offences(Self.words(in: Self.sources), besides: Self.dangerous)
        #expect(found == [])
        let bad = SwiftCode(path: "x", text: "let a = try! b() // never\n// try! in words\nlet c = \"try!\"\n")
        #expect(Self.words(in: [bad]) == ["x: try!"])
    }

    /// A process that a test does not find has the number -1, which the kernel takes for everything on the machine.
    private static func signals(in files: [SwiftCode]) -> [String] {
        files.filter { file in
            file.bare.contains { line in
                line.firstRange(of: /(^|[^.\w])kill\([^)]|Glibc\.kill\(/) != nil && !line.contains("func kill")
            }
        }.map(\.path)
    }

    @Test func testsSignalOneProcessAtATime() {
        let tests = House.code.filter { $0.path.hasPrefix("Tests/") && $0.path != "Tests/Support/Machine.swift" }
        #expect(Self.signals(in: tests) == [])
        let bad = ["kill(pid, 9)", "if true { Glibc.kill(pid, 9) }", "World.kill(pid, 9)"].map {
            SwiftCode(path: $0, text: $0)
        }
        #expect(Self.signals(in: bad).count == 2)
    }

    // MARK: Switches

    /// Where a switch over an enum of ours may have a default: everything else is one case there, also what comes later.
    private static let defaults: [String: String] = [
        "Sources/Values/Node.swift: switch value": "asks for a number; every other value is none",
        "Tests/Simulation/Calm.swift: switch replica.phase": "names the phases in which a calm world may rest",
    ]

    private static func defaults(in files: [SwiftCode]) -> [String] {
        files.flatMap { file in
            Switch.all(in: file).filter { $0.hasDefault && $0.isOverEnum }.map { "\(file.path): switch \($0.subject)" }
        }
    }

    @Test func switchesOverEnumsNameEveryCase() {
        let found = offences(Self.defaults(in: House.code), besides: Self.defaults)
        #expect(found == [])
        let bad = SwiftCode(
            path: "x",
            text: """
                switch phase {
                case .ready(let run, _) where run.isFrozen,
                    .stopped:
                    switch number { case 1: a(); default: break }
                default:
                    b("default:")
                }
                switch value(of: { $0 }) {
                case .a: "case .b"
                case let other: other
                }
                switch text {
                case "x": counts["x", default: 0]
                default: 0
                }
                switch phase { case .ready: 1
                case .stopped: counts[0, default: 0] }
                """)
        #expect(Switch.all(in: bad).count == 5)
        #expect(Self.defaults(in: [bad]) == ["x: switch phase", "x: switch value(of: { $0 })"])
    }

    // MARK: Length

    private static let linesMax = 400
    /// Stands with the reason in the first lines of a longer file.
    private static let lengthWord = "Longer than \(linesMax) lines: "
    /// Files that are still too long, with their lines: these numbers only fall.
    private static let tooLong: [String: Int] = [:]
    private static let medianMax = 120

    private static func lengths(_ files: [House.File], besides known: [String: Int]) -> [String] {
        let found = files.compactMap { file -> String? in
            let lines = file.lineCount
            let isExplained = file.lines.prefix(12).contains { $0.contains(lengthWord) }
            switch (lines > linesMax, isExplained, known[file.path]) {
            case (true, false, nil): return "\(file.path) has \(lines) lines and no reason in its head"
            case (false, true, _): return "\(file.path) explains a length it does not have"
            case (true, _, let most?) where lines > most: return "\(file.path) has grown to \(lines) lines"
            case (_, _, let most?) where !(most - 20...most).contains(lines):
                return "\(file.path) has shrunk to \(lines) lines"
            case (false, _, .some), (true, true, .some): return "\(file.path) no longer needs its exception"
            case (true, true, nil), (true, false, .some), (false, false, nil): return nil
            }
        }
        let paths = Set(files.map(\.path))
        return found + known.keys.filter { !paths.contains($0) }.sorted().map { "\($0) is not there" }
    }

    private static let measured =
        House.files("Sources", ".swift", ".c", ".h") + House.tests + House.files("Tests", ".py", ".c")
        + House.files("Benchmarks", ".py")

    @Test func filesStayReadable() {
        let found = Self.lengths(Self.measured, besides: Self.tooLong)
        #expect(found == [])
        let lengths = Self.measured.map(\.lineCount).sorted()
        let median = lengths[lengths.count / 2]
        #expect(median <= Self.medianMax)
        #expect(Self.measured.contains { $0.path.hasSuffix(".c") })

        let long = String(repeating: "x\n", count: Self.linesMax + 1)
        let bad = [
            House.File(path: "long", text: long), House.File(path: "explained", text: "// \(Self.lengthWord)\n\(long)"),
            House.File(path: "short", text: "// \(Self.lengthWord)\n"), House.File(path: "grown", text: long),
            House.File(path: "shrunk", text: long), House.File(path: "good", text: "x\n"),
        ]
        let most = Self.linesMax + 100
        let offences = Self.lengths(bad, besides: ["grown": Self.linesMax, "shrunk": most, "good": most, "gone": most])
        #expect(offences.count == 6 && !offences.contains { $0.hasPrefix("explained") })
    }

    @Test func nothingIsLeftOpen() {
        for file in House.sources + House.tests where !file.path.hasPrefix("Tests/TidyTests/") {
            let words = ["TODO", "FIXME"].filter(file.text.contains)
            #expect(words.isEmpty, "\(file.path)")
        }
    }

    // MARK: Comments

    /// Public types and functions whose meaning no comment states, by module: these numbers only fall.
    private static let undocumented: [String: Int] = [
        "API": 2, "Drivers": 4, "HTTP": 4, "Machine": 10, "Manifests": 24, "Planner": 4, "Reconciler": 14,
        "Values": 22,
    ]

    /// Requirements of protocols are documented where they are required, operators where they come from.
    private static func undocumented(in files: [SwiftCode]) -> [(path: String, line: Int, text: String)] {
        let required = Set(
            files.flatMap { file -> [String] in
                var isProtocol = false
                return file.bare.compactMap { line in
                    if line.contains("protocol ") { isProtocol = true } else if line == "}" { isProtocol = false }
                    guard isProtocol, let range = line.firstRange(of: "func ") else { return nil }
                    return String(line[range.upperBound...].prefix { $0 != "(" })
                }
            })
        return files.flatMap { file in
            file.bare.indices.compactMap { index -> (String, Int, String)? in
                let words = file.bare[index].split(separator: " ")
                guard words.first == "public",
                    let noun = words.prefix(4).first(where: { declarations.contains(String($0)) })
                else { return nil }
                let name = words.drop { $0 != noun }.dropFirst().first.map { $0.prefix { $0.isLetter || $0.isNumber } }
                guard let name, !name.isEmpty, noun != "func" || !required.contains(String(name)) else { return nil }
                var above = index - 1
                while above >= 0, file.bare[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
                let isDocumented = above >= 0 && file.lines[above].drop(while: { $0 == " " }).hasPrefix("///")
                return isDocumented ? nil : (file.path, index + 1, String(file.lines[index]))
            }
        }
    }

    private static let declarations: Set<String> = ["struct", "enum", "class", "actor", "protocol", "func"]

    @Test func publicDeclarationsHaveComments() {
        let found = Self.undocumented(in: Self.sources)
        for (module, places) in Dictionary(grouping: found, by: { ModuleTests.module(of: $0.path) ?? "" }) {
            let (count, known) = (places.count, Self.undocumented[module, default: 0])
            let list = places.map { "\($0.path):\($0.line):\($0.text)" }.joined(separator: "\n")
            #expect(count <= known && count > known - 6, "\(module) has \(count), known are \(known):\n\(list)")
        }
        let modules = Set(found.compactMap { ModuleTests.module(of: $0.path) })
        #expect(Set(Self.undocumented.keys).subtracting(modules) == [])
        let bad = SwiftCode(
            path: "Sources/API/X.swift",
            text: """
                /// Known.
                @frozen
                public struct A {
                    public func b() {}
                    public static func == (a: A, b: A) -> Bool { true }
                    public func required() {}
                }
                public protocol P {
                    func required()
                }
                """)
        #expect(Self.undocumented(in: [bad]).map(\.line) == [4, 8])
    }

    // MARK: Tests

    /// Where a test draws the moment of a fault.
    private static let moments: [String: String] = [
        "Tests/EndToEndTests/ChaosTests.swift": "its blows come at moments that the seed draws",
        "Tests/EndToEndTests/StormTests.swift": "its kills come at moments that the seed draws",
        "Tests/EndToEndTests/DeliveryKillTests.swift": "its kills come in the midst of delivery",
        "Tests/MessagingTests/NATSSinkTests.swift": "its kills come at moments of their own, in the midst of a batch",
        "Tests/EndToEndTests/GroundTests.swift": "processor time is measured over two seconds",
    ]

    /// Where a test sleeps.
    private static let sleeps: [String: String] = [
        "Tests/Support/Waiting.swift": "the one place that looks again and again"
    ]

    @Test func testsWaitForConditions() {
        let found = House.code.filter { file in
            file.path.hasPrefix("Tests/") && file.bare.contains { $0.contains("sleep(") }
        }
        #expect(offences(found.map(\.path), besides: Self.sleeps) == [])
        let passing = House.code.filter { file in file.bare.contains { $0.contains("World.pass(") } }.map(\.path)
        #expect(offences(passing, besides: Self.moments) == [])
    }

    @Test func theCodeIsFormatted() {
        inWorld { world in
            let places = ["Sources", "Tests", "Package.swift"].map { "\(House.root)/\($0)" }
            let path = "PATH=\(World.variable("PATH") ?? "/usr/bin:/bin")"
            let lint = world.spawn(
                ["env", path, "swift", "format", "lint", "--strict", "-r"] + places)
            #expect(lint.code == 0, "\(lint.error.prefix(4000))")
        }
    }
}
