import Manifests
package import Values

/// Says how the Objectives stand, for people and for release pipelines.
struct Slo: Verb {
    static let name = "slo"
    static let usage = "slo [NAME…]"
    static let operands = Operands.names(.objective)
    static let text = "Show how Objectives stand; exit code 3 when a budget is spent."

    let output = OutputOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let targets = try invocation.targets(
            invocation.words, usual: .objective, among: [.objective], does: "shown by slo, but by get")
        var report = try invocation.session().node("GET", "/slo")
        var items = try report.items()
        let names = Set(targets.map(\.name))
        for name in names.sorted() where !items.contains(where: { $0[path: "metadata", "name"]?.string == name }) {
            throw CommandProblem(.failure, "objective.agentos.dev \"\(name)\" not found; see 'agentos-apply slo'")
        }
        if !names.isEmpty { items = items.filter { names.contains($0[path: "metadata", "name"]?.string ?? "") } }
        report["items"] = .list(items)
        let views = items.map(ObjectiveView.init)
        let isSpent = views.contains(where: \.isSpent)
        report["verdict"] = isSpent ? "Spent" : "Pass"
        switch output.format {
        case .json: try Terminal.print(JSONWriter.text(report))
        case .yaml: try Terminal.print(YAMLWriter.text(report))
        case .name: for view in views { try Terminal.print("objective.agentos.dev/\(view.name)") }
        case .table, .wide: try show(views, report["frozenBy"]?.string)
        }
        return isSpent ? .invalid : .success
    }

    private func show(_ views: [ObjectiveView], _ frozenBy: String?) throws {
        if views.isEmpty { return Terminal.note("No Objectives.") }
        let isWide = output.format == .wide
        let header = ["NAME", "OBJECTIVE", "WINDOW", "ATTAINED", "BUDGET LEFT", "PHASE", "TREND"]
        let cells = views.map { view in
            [view.name, view.objective, view.window, view.attained, view.budget, view.phase, view.sparkLine]
                + (isWide ? [view.events, view.burns] : [])
        }
        let wide = isWide ? ["BAD/ALL", "BURN RATES"] : []
        try Terminal.print(Table(header + wide, cells, hasColor: false).text())
        if let frozenBy {
            Terminal.note(
                "Changes of agents and Sources are frozen by \(frozenBy): rollbacks and suspensions are taken.")
        }
    }
}

/// One Objective of a report.
package struct ObjectiveView {
    let name, objective, window, phase, attained, budget: String
    private let target: Double
    private let trend: [Double?]
    let events, burns: String

    package init(_ node: Node) {
        let status = node["status"]
        func shown(_ field: String) -> String { status?[field]?.string ?? "-" }
        name = node[path: "metadata", "name"]?.string ?? ""
        objective = node["objective"]?.string ?? ""
        window = node["window"]?.string ?? ""
        phase = shown("phase")
        attained = shown("attained") + (status?["latency"]?.string.map { " (\($0))" } ?? "")
        budget = shown("budgetRemaining")
        target = node[path: "spec", "target"]?.double ?? 0
        trend = (status?["trend"]?.list ?? []).map { $0.string.flatMap(Self.percent) }
        let (good, bad) = (status?["goodEvents"]?.int ?? 0, status?["badEvents"]?.int ?? 0)
        events = "\(bad)/\(good.addingSaturated(bad))"
        burns = (status?["burnRates"]?.list ?? []).map { burn in
            "\(burn["window"]?.string ?? "") \(burn["rate"]?.string ?? "")"
        }.joined(separator: ", ")
    }

    var isSpent: Bool { phase == "Spent" }

    /// A bar for each part of the window: high while all goes well, in the middle where as much goes wrong as may, and a dot
    /// where nothing was measured.
    package var sparkLine: String {
        let bars = Array("▁▂▃▄▅▆▇█")
        let may = max(0.001, 100 - target)
        return String(
            trend.map { attained -> Character in
                guard let attained else { return "·" }
                let use = min(max((100 - attained) / may, 0), 2)
                return bars[Int(((2 - use) / 2 * Double(bars.count - 1)).rounded())]
            })
    }

    private static func percent(_ text: String) -> Double? { Double(text.dropLast()) }
}
