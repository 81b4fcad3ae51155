import Values

/// What the daemon promises of itself, measured in a window that slides.
enum ObjectiveKind {
    static let definition = KindDescription(
        "Objective", group: "agentos.dev", resource: "objectives", shortNames: ["slo"],
        text: "What the daemon promises of itself, measured in a sliding window.", isNamespaced: false,
        nameRule: .label(63),
        fields: [
            Field("spec", .object(spec), required: true, text: "What is measured, and what is promised."),
            ObjectFields.status,
        ],
        subresources: [.status, .events],
        columns: [
            .name,
            Column("INDICATOR", text: "What is measured.") { .text($0[path: "spec", "indicator"]?.string ?? "") },
            Column("TARGET", text: "The share of events that are to be good.") { object in
                .text("\(object[path: "spec", "target"]?.scalarText ?? "")%")
            },
            Column("WINDOW", text: "The time that is looked at.") {
                .text($0[path: "spec", "window"]?.string ?? "")
            },
            .phase,
            Column("ATTAINED", text: "The share of events that were good.") {
                .text($0[path: "status", "attained"]?.string ?? "")
            },
            Column("BUDGET", text: "What is left of the events that may go wrong.") {
                .text($0[path: "status", "budgetRemaining"]?.string ?? "")
            },
            .age,
            Column("FREEZE", text: "Changes are refused while the budget is spent.", isWide: true) {
                .text($0[path: "spec", "freeze"]?.bool == true ? "true" : "false")
            },
            Column("REASON", text: "What the condition Met says.", isWide: true) { object in
                let conditions = object[path: "status", "conditions"]?.list ?? []
                return .text(conditions.first { $0["type"]?.string == "Met" }?["message"]?.string ?? "")
            },
        ],
        rules: check,
        isSameSpec: { one, other, _ in ObjectiveSpec(one) == ObjectiveSpec(other) })

    static let spec: [Field] = [
        Field(
            "indicator", .words(of: ObjectiveSpec.Indicator.self), required: true,
            text: "What is measured; a latency has a threshold."),
        Field(
            "target", .number(1...99.999), required: true,
            text: "The share of events that are to be good, in percent, with at most three decimals."),
        Field(
            "threshold", .string(.duration),
            text: "Of a latency: what takes at most so long is good. At most two digits count, as in 250ms or 5s."),
        Field(
            "window", .string(.duration), fallback: "24h",
            text: "The time that is looked at, in whole hours: 1h to 744h."),
        Field(
            "minimumEvents", .integer(1...1_000_000), fallback: 1,
            text: "With fewer events in the window nothing is said, and no budget is spent."),
        Field(
            "freeze", .boolean, fallback: false,
            text:
                "True: while the budget is spent, changes of the spec of agents and Sources are refused, but for rollbacks and suspensions."
        ),
    ]

    @Sendable private static func check(_ object: Node, _ validator: inout Validator) {
        let (node, spec) = (object["spec"] ?? .emptyMap, ObjectiveSpec(object["spec"] ?? .emptyMap))
        func report(_ field: String, _ message: String) {
            validator.report(node[field]?.mark ?? node.mark, "spec.\(field)", message)
        }
        let percent = node["target"]?.double ?? 0
        if abs(percent * 1000 - Double(ObjectiveSpec.thousandths(percent))) > 1e-6 {
            report("target", "has at most three decimals")
        }
        let windowMs = Durations.milliseconds(node["window"]?.string) ?? 0
        if windowMs % ObjectiveSpec.hourMs != 0
            || !(ObjectiveSpec.hourMs...ObjectiveSpec.windowMsMax).contains(windowMs)
        {
            report("window", "must be whole hours, 1h to 744h")
        }
        guard spec.indicator.isLatency else {
            if node["threshold"] != nil {
                report("threshold", "\(spec.indicator.rawValue) has none; latencies have one")
            }
            return
        }
        guard node["threshold"] != nil else {
            return report("threshold", "\(spec.indicator.rawValue) needs one, such as 5s")
        }
        var digits = spec.thresholdMs
        while digits > 0, digits % 10 == 0 { digits /= 10 }
        // The bounds of the histogram's buckets: only these are counted exactly.
        if digits > 99 || spec.thresholdMs > thresholdMsMax {
            report("threshold", "must be at most 24h and have at most two digits, as 250ms, 1500ms or 5s have")
        }
    }

    private static let thresholdMsMax: Int64 = 86_400_000
}
