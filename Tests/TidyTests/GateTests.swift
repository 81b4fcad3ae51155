import Glibc
import Support
import Testing

/// The gates of a release, as `scripts/gates` runs them: `Documentation/gates.md` names what is there.
@Suite struct GateTests {
    private static func cells(_ line: Substring) -> [Substring] {
        line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map(\.trimmed)
    }

    @Test func theSixGatesNameTestsThatRun() {
        var gates: [Substring] = []
        for line in House.text("Documentation/gates.md").split(separator: "\n") where line.hasPrefix("| ") {
            let cells = Self.cells(line)
            guard cells.count == 4, cells[0].first?.isNumber == true else { continue }
            gates.append(cells[0].prefix { $0.isNumber })
            let names = cells[2].split(separator: ",").map(\.trimmed)
            #expect(!names.isEmpty && !cells[3].isEmpty, "\(cells[0])")
            for name in names {
                #expect(
                    House.testFiles[name] != nil,
                    "gate \(cells[0]): no test \(name) runs any more; name the one that proves the same in gates.md")
            }
        }
        #expect(gates == ["1", "2", "3", "4", "5", "6"])
    }

    /// Gate 6. The links are written anew with AGENTOS_WRITE_DOCUMENTS=1.
    @Test func noCapabilityIsImplementedWithoutATestThatRuns() {
        let path = "\(House.root)/CAPABILITIES.md"
        let page = House.text("CAPABILITIES.md").split(separator: "\n", omittingEmptySubsequences: false)
        var rows: [String] = []
        var (implemented, wanted): (Int, [Substring: String]) = (0, [:])
        for line in page {
            let cells = Self.cells(line)
            guard line.hasPrefix("| "), cells.count == 3, cells[1] == "Implemented" else {
                if line.hasPrefix("| ") {
                    let isOther = ["Target", "IterationScope", "State"].contains(cells[safe: 1])
                    #expect(isOther, "what state is this? \(line)")
                }
                if !line.hasPrefix("[") { rows.append(String(line)) }
                continue
            }
            implemented += 1
            let names = cells[2].split(separator: ",").map { $0.trimmed.filter { !"[]".contains($0) } }
                .map { Substring($0) }
            #expect(!names.isEmpty, "\(cells[0]): no test proves it")
            for name in names {
                let file = House.testFiles[name]
                #expect(
                    file != nil,
                    "\(cells[0]): no test \(name) runs; name one that proves it, or call the row IterationScope")
                wanted[name] = file
            }
            rows.append("| \(cells[0]) | Implemented | \(names.map { "[\($0)]" }.joined(separator: ", ")) |")
        }
        #expect(implemented > 20)
        let evidence = wanted.sorted { $0.key < $1.key }.map { "[\($0.key)]: \($0.value)\n" }.joined()
        let text = "\(rows.joined(separator: "\n").trimmedEnd)\n\n\(evidence)"
        if getenv("AGENTOS_WRITE_DOCUMENTS") != nil, let file = fopen(path, "w") {
            fputs(text, file)
            fclose(file)
        }
        #expect(
            World.read(path) == text,
            "a row has no link to its evidence: run this test with AGENTOS_WRITE_DOCUMENTS=1, which writes the links")
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self
        while text.last == "\n" { text.removeLast() }
        return text
    }
}
