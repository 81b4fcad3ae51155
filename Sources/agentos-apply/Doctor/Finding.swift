import Values

/// What looking at one thing of the machine has shown.
package struct Finding: Equatable, Sendable {
    package enum Level: String, CaseIterable, Sendable {
        case fine
        /// Something is not there that not everybody needs.
        case note
        /// It works, and may stop to.
        case risk
        /// Something does not work.
        case fault
    }

    package var check: String
    package var level: Level
    /// What is there.
    package var found: String
    /// What that means for agents; empty where all is fine.
    package var meaning: String
    /// What a person can do; empty where there is nothing to do.
    package var mend: String

    package init(_ check: String, _ level: Level, _ found: String, means meaning: String = "", mend: String = "") {
        self.check = check
        self.level = level
        self.found = found
        self.meaning = meaning
        self.mend = mend
    }

    var node: Node {
        .map([
            ("check", .text(check)), ("level", .text(level.rawValue)), ("found", .text(found)),
            ("meaning", meaning.isEmpty ? nil : .text(meaning)), ("mend", mend.isEmpty ? nil : .text(mend)),
        ])
    }

    /// One line, and what it means and how to mend it below.
    func text(_ hasColor: Bool) -> String {
        let colour =
            switch level {
            case .fine: "32"
            case .note: "0"
            case .risk: "33"
            case .fault: "31"
            }
        let word = level.rawValue + String(repeating: " ", count: 5 - level.rawValue.count)
        let head = Paint.words(hasColor: hasColor).colored(word, colour)
        var out = "\(head)  \(check)\(String(repeating: " ", count: max(0, 14 - check.count)))  \(found)\n"
        if !meaning.isEmpty { out += "       \(meaning)\n" }
        if !mend.isEmpty { out += "       Mend it: \(mend)\n" }
        return out
    }
}

extension ExitCode {
    /// `doctor`: something of the machine does not work. `plan` says with the same number that something would change.
    package static var faulty: ExitCode { .changes }
}

extension [Finding] {
    /// 0: nothing that does not work or may stop to; 1: there are risks; 2: there are faults.
    package var exitCode: ExitCode {
        if contains(where: { $0.level == .fault }) { return .faulty }
        return contains { $0.level == .risk } ? .failure : .success
    }

    var node: Node {
        .map([
            ("kind", "Diagnosis"), ("apiVersion", "agentos.dev/v1"), ("items", .list(map(\.node))),
        ])
    }
}
