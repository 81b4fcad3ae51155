import Glibc
import Support
import Testing

@testable import API
@testable import Loop

/// What is measured, as Prometheus and its own tools read it.
@Suite(.serialized) struct MetricsTests {
    static let promtool =
        (World.variable("AGENTOS_TEST_PROMETHEUS") ?? "").replacing("prometheus", with: "") + "promtool"

    /// Of a daemon that has done some of everything.
    private static func metrics(_ world: World, accept: String) throws -> RawClient.Answer {
        let client = RawClient(world.socket)
        client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: \(accept)\r\n\r\n")
        return try #require(client.answer())
    }

    /// What Prometheus 2.42 sends.
    private static let prometheus =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    @Test func metricsPassTheCheckOfPrometheusAndEachIsServed() throws {
        try inWorld { world in
            world.write("daemon.yaml", "sinks:\n- {name: events, file: {path: \(world.directory)/events}}\n")
            #expect(
                world.run("daemon", "start", "--config", "\(world.directory)/daemon.yaml").code == 0, "\(world.log)")
            world.apply(World.agent("one", World.stays), "--wait")
            _ = RawClient.ask(world.socket, "GET", "/nowhere")
            World.until("the sink has confirmed something") {
                let text = try? Self.metrics(world, accept: "*/*").text
                return text?.contains("agentos_delivery_duration_seconds_count{sink=\"events\"}") == true
            }
            let plain = try Self.metrics(world, accept: "*/*")
            #expect(plain.head.contains("text/plain; version=0.0.4"))
            let check = world.spawn([Self.promtool, "check", "metrics"], input: plain.text)
            #expect(check.code == 0 && check.output + check.error == "", "\(check.text)")
            for metric in Metric.table {
                #expect(plain.text.contains("# TYPE \(metric.name) \(metric.kind.rawValue)\n"), "\(metric.name)")
                for name in metric.seriesNames {
                    #expect(plain.text.contains("\n\(name){") || plain.text.contains("\n\(name) "), "\(name)")
                }
            }
            #expect(plain.text.contains("verb=\"unknown\",resource=\"unknown\",code=\"404\"} 1\n"))
            #expect(!plain.text.contains("trace_id"), "examples are for OpenMetrics alone")
        }
    }

    /// The stages of one start, each of them once.
    @Test func theStagesOfAStartAreCountedOnceEach() throws {
        try inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let text = try Self.metrics(world, accept: Self.prometheus).text
            for stage in StartStage.allCases {
                let name = "agentos_start_stage_duration_seconds_count{stage=\"\(stage.rawValue)\"} "
                // The driver's answer may come after the instance was seen.
                if stage == .created, !text.contains(name) { continue }
                #expect(text.contains("\(name)1\n"), "\(stage) \(text)")
            }
            #expect(text.contains("\nagentos_start_duration_seconds_count 1\n"))
        }
    }

    @Test func openMetricsHaveExamplesThatNameTheTrace() throws {
        try inWorld { world in
            world.startDaemon()
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let client = RawClient(world.socket)
            client.send(
                "GET /version HTTP/1.1\r\nHost: localhost\r\ntraceparent: 00-\(trace)-b7ad6b7169203331-01\r\n\r\n")
            _ = client.answer()
            let open = try Self.metrics(world, accept: Self.prometheus)
            #expect(open.head.contains(Exposition.openType) && open.text.hasSuffix("# EOF\n"), "\(open.head)")
            #expect(open.text.contains("# {trace_id=\"\(trace)\"} "), "\(open.text)")
            #expect(open.text.contains("# TYPE agentos_api_requests counter\n"))
        }
    }

    @Test(arguments: [
        ("application/openmetrics-text", true), ("*/*", false), ("", false), ("text/plain", false),
        ("text/plain;q=0.5,application/openmetrics-text;version=1.0.0", true),
        ("text/plain,application/openmetrics-text;q=0.5", false), ("text/html", false), (prometheus, true),
    ]) func whoPrefersOpenMetricsGetsThem(accept: String, isOpen: Bool) {
        #expect(Exposition.isOpen(Accepted([accept])) == isOpen)
    }

    /// Tables of rules and dashboards rely on these.
    @Test func everyMetricIsDescribedWithinTheConventions() {
        var names: Set<String> = []
        for metric in Metric.table {
            #expect(names.insert(metric.name).inserted, "\(metric.name)")
            #expect(metric.help.hasSuffix(".") && metric.help.count > 10, "\(metric.name)")
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
            #expect(metric.kind != .histogram || metric.name.hasSuffix("_seconds"), "\(metric.name)")
            for label in metric.labels { #expect(!label.values.isEmpty && !label.name.isEmpty, "\(metric.name)") }
        }
    }

    @Test func aHistogramCountsWhatFallsIntoItsRanges() {
        var histogram = Histogram(.short)
        for ns: Int64 in [-5, 0, 100_000, 100_001, 9_999_999_999, 10_000_000_000, 10_000_000_001, .max] {
            histogram.observe(ns)
        }
        #expect(histogram.counts.first == 3 && histogram.counts[1] == 1)
        #expect(Array(histogram.counts.suffix(2)) == [2, 2] && histogram.count == 8)
        #expect(histogram.sumNs == .max, "it stops at the end of its range")
        var other = Histogram(.short)
        other.observe(1) { "trace" }
        histogram.add(other)
        #expect(histogram.counts.first == 4 && histogram.exemplars[0]?.trace == "trace")
        histogram.observe(1) { "another" }
        #expect(histogram.exemplars[0]?.trace == "trace", "one of this second is kept")
    }

    // MARK: The page

    /// Made of the table: AGENTOS_WRITE_DOCUMENTS=1 writes it anew.
    @Test func thePageOfMetricsIsThatOfTheTable() throws {
        let path = "\(World.root)/Documentation/observability.md"
        let text = World.read(path)
        let begin = try #require(text.firstRange(of: "<!-- metrics -->\n"))
        let end = try #require(text.firstRange(of: "<!-- end of metrics -->\n"))
        let rows = Metric.table.map { metric in
            let labels = metric.labels.map { "`\($0.name)`: \($0.values)" }.joined(separator: "; ")
            return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |\n"
        }
        let table = "| metric | type | labels | what it tells |\n|---|---|---|---|\n" + rows.joined()
        let wanted = text[..<begin.upperBound] + table + text[end.lowerBound...]
        if getenv("AGENTOS_WRITE_DOCUMENTS") != nil, let file = fopen(path, "w") {
            fputs(String(wanted), file)
            fclose(file)
        }
        #expect(World.read(path) == wanted)
    }
}
