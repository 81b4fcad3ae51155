import HTTP
import Loop
import Values

extension Server {
    /// All metrics: as Prometheus' text, or as OpenMetrics with exemplars for who prefers that.
    func metrics(_ call: Call) {
        let isOpen = Exposition.isOpen(call.accepted)
        var exposition = Exposition(isOpen: isOpen)
        for metric in Metric.table { exposition.add(metric, metric.read(self)) }
        call.respond(200, isOpen ? Exposition.openType : Exposition.plainType, [exposition.bytes()])
    }
}

/// Metrics as text: Prometheus' own format 0.0.4, or OpenMetrics 1.0.
struct Exposition {
    static let plainType = "text/plain; version=0.0.4; charset=utf-8"
    static let openType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private let isOpen: Bool
    private var text = ""

    init(isOpen: Bool) { self.isOpen = isOpen }

    /// OpenMetrics is for who names it before plain text.
    static func isOpen(_ accepted: Accepted) -> Bool {
        for range in accepted.ranges {
            if range.type == "application/openmetrics-text" { return true }
            if range.takes("text/plain") { return false }
        }
        return false
    }

    mutating func add(_ metric: Metric, _ samples: [Metric.Sample]) {
        if samples.isEmpty { return }
        // The name of a counter's family has no suffix in OpenMetrics.
        let isSuffixed = isOpen && metric.kind == .counter && metric.name.hasSuffix("_total")
        let family = isSuffixed ? String(metric.name.dropLast("_total".count)) : metric.name
        text += "# HELP \(family) \(Self.escaped(metric.help))\n# TYPE \(family) \(metric.kind.rawValue)\n"
        for (values, value) in samples {
            precondition(values.count == metric.labels.count, "\(metric.name) has values for other labels")
            let labels = zip(metric.labels, values).map { "\($0.name)=\"\(Self.escaped($1))\"" }
            switch value {
            case .number(let number): line(metric.name, labels, Self.number(number))
            case .histogram(let histogram): add(metric.name, labels, histogram)
            }
        }
    }

    private mutating func add(_ name: String, _ labels: [String], _ histogram: Histogram) {
        var count: UInt64 = 0
        for (place, own) in histogram.counts.enumerated() {
            count &+= own
            let end = place < histogram.bounds.seconds.count ? "\(histogram.bounds.seconds[place])" : "+Inf"
            line("\(name)_bucket", labels + ["le=\"\(end)\""], "\(count)\(example(histogram.exemplars[place]))")
        }
        line("\(name)_sum", labels, Self.number(histogram.sumSeconds))
        line("\(name)_count", labels, "\(count)")
    }

    private func example(_ exemplar: Histogram.Exemplar?) -> String {
        guard isOpen, let exemplar else { return "" }
        let at = Self.number(Double(exemplar.atMs) / 1000)
        return " # {trace_id=\"\(Self.escaped(exemplar.trace))\"} \(Self.number(exemplar.seconds)) \(at)"
    }

    private mutating func line(_ name: String, _ labels: [String], _ value: String) {
        text += name
        if !labels.isEmpty { text += "{\(labels.joined(separator: ","))}" }
        text += " \(value)\n"
    }

    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// All of it, with its end.
    consuming func bytes() -> [UInt8] { Array((isOpen ? text + "# EOF\n" : text).utf8) }
}

/// How requests are counted: by what the table of routes says, so that there is a bounded number of them.
struct RequestCount: Hashable {
    private let route: Route
    private let action: Action.Verb
    let code: Int

    init(_ call: Call, _ code: Int) {
        route = call.route
        action = call.action.verb
        self.code = code
    }

    static func == (a: RequestCount, b: RequestCount) -> Bool {
        a.route === b.route && a.action == b.action && a.code == b.code
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(route))
        hasher.combine(code)
    }

    var verb: String { action.rawValue }

    /// Some routes have the same.
    var resource: String {
        switch route.object {
        case .path(let path): path
        case .resource(_, let name, let subresource): subresource.isEmpty ? name : "\(name)/\(subresource)"
        }
    }
}
