import Glibc
import Support
import Testing
import Values

@testable import API

/// What `Deploy/` has for Prometheus and Grafana, in the hands of Prometheus itself.
@Suite(.serialized) struct PrometheusTests {
    private static let deploy = "\(World.root)/Deploy"
    private static let prometheus = World.variable("AGENTOS_TEST_PROMETHEUS") ?? ""

    @Test func theRulesPassTheirOwnTests() {
        inWorld { world in
            for words in [
                ["check", "rules", "\(Self.deploy)/prometheus/rules.yaml"],
                ["test", "rules", "\(Self.deploy)/prometheus/rules.test.yaml"],
            ] {
                let result = world.spawn([MetricsTests.promtool] + words)
                #expect(result.code == 0, "\(result.text)")
            }
            // Its files of secrets are not on this machine.
            let check = world.spawn(
                [
                    MetricsTests.promtool, "check", "config", "--syntax-only",
                    "\(Self.deploy)/prometheus/prometheus.yaml",
                ])
            #expect(check.code == 0, "\(check.text)")
        }
    }

    /// The names of metrics in an expression: what looks like one of ours, or like one that the rules record.
    private static func names(_ expression: String) -> Set<String> {
        let words = expression.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != ":" }.map(String.init)
        return Set(words.filter { $0.hasPrefix("agentos_") || $0.hasPrefix("agentos:") || $0.hasPrefix("process_") })
    }

    private static func expressions() -> (rules: [Node], panels: [Node]) {
        var diagnostics = Diagnostics()
        let path = "\(deploy)/prometheus/rules.yaml"
        let rules = YAMLReader.read(Array(World.read(path).utf8), file: path, diagnostics: &diagnostics).first
        let groups = rules?["groups"]?.list ?? []
        let board = JSONReader.read(World.read("\(deploy)/grafana/agentos-apply.json"))
        return (groups.flatMap { $0["rules"]?.list ?? [] }, board?["panels"]?.list ?? [])
    }

    @Test func everyExpressionNamesWhatIsServed() {
        let (rules, panels) = Self.expressions()
        let recorded = rules.compactMap { $0["record"]?.string }
        let served = Set(Metric.table.flatMap(\.seriesNames) + recorded)
        let expressions =
            rules.compactMap { $0["expr"]?.string }
            + panels.flatMap { $0["targets"]?.list ?? [] }.compactMap { $0["expr"]?.string }
        #expect(rules.count > 10 && panels.count > 10 && expressions.count >= rules.count + panels.count)
        for expression in expressions {
            let names = Self.names(expression)
            #expect(names.isSubset(of: served), "\(names.subtracting(served).sorted()) of \(expression)")
        }
        #expect(Self.names("rate(agentos_nothing_total[5m])") == ["agentos_nothing_total"])
        for rule in rules where rule["alert"] != nil {
            for text in ["summary", "description"] {
                #expect(rule[path: "annotations", text]?.string?.isEmpty == false, "\(rule["alert"]?.string ?? "")")
            }
            #expect(["warning", "critical"].contains(rule[path: "labels", "severity"]?.string ?? ""))
        }
    }

    /// A Prometheus that reads the daemon over TLS with the token of a user who may read nothing else.
    @Test func prometheusReadsTheDaemonAndEvaluatesTheRules() throws {
        try inWorld { world in
            let token = "a-long-token-of-prometheus"
            let tokens = world.write("tokens.csv", "\(token),prometheus,prometheus\n")
            world.write("token", token)
            chmod(tokens, 0o600)
            let client = try TLSClient(world, "--token-auth-file", tokens)
            #expect(client.ask(["GET /metrics"], header: "Authorization: Bearer \(token)") == ["403"])
            world.apply(World.read("\(Self.deploy)/prometheus/role.yaml"))
            world.apply(World.agent("one", World.stays), "--wait")
            let server = Server(world, daemon: client.port)
            defer { server.end() }
            World.until("the daemon was read") { server.value("up{job=\"agentos\"}") == "1" }
            World.until("the rules are evaluated") {
                server.value("agentos:start_duration_seconds:p95_30m") != nil
                    && server.value("agentos:commit_duration_seconds:p95_5m") != nil
            }
            #expect(server.value("agentos_replicas{phase=\"Ready\"}") == "1")
            #expect(server.get("/api/v1/rules")?[path: "data", "groups"]?.list?.count == 2)
            let problems = (server.get("/api/v1/rules")?[path: "data", "groups"]?.list ?? []).flatMap {
                $0["rules"]?.list ?? []
            }.filter { $0["health"]?.string == "err" }
            #expect(problems.isEmpty, "\(problems.map { JSONWriter.text($0) })")
            // The expressions of the dashboard are its own language, too.
            for panel in Self.expressions().panels {
                for target in panel["targets"]?.list ?? [] {
                    let expression = (target["expr"]?.string ?? "").replacing("$__rate_interval", with: "1m")
                        .replacing("$instance", with: ".*")
                    #expect(server.query(expression)?["status"]?.string == "success", "\(expression)")
                }
            }
            World.until("it has kept an example with its trace") {
                let from = "start=0&end=4000000000"
                let answer = server.get(
                    "/api/v1/query_exemplars?query=agentos_api_request_duration_seconds_bucket&\(from)")
                let trace = answer?["data"]?.list?.first?["exemplars"]?.list?.first?[path: "labels", "trace_id"]
                return trace?.string?.count == 32
            }
            world.killDaemon()
            World.until("it sees that the daemon is gone") { server.value("up{job=\"agentos\"}") == "0" }
            World.until("the alert waits for its time") {
                server.value("ALERTS{alertname=\"AgentosDown\",alertstate=\"pending\"}") == "1"
            }
        }
    }

    /// The program of Debian, with the configuration of `Deploy/`, at this test's places and pace.
    private final class Server {
        private let world: World
        private let pid: pid_t
        private let port = World.freePort()

        init(_ world: World, daemon port: Int) {
            self.world = world
            let shipped = World.read("\(PrometheusTests.deploy)/prometheus/prometheus.yaml")
            let text = shipped.replacing("localhost:6443", with: "localhost:\(port)").replacing("15s", with: "1s")
                .replacing("/etc/prometheus/agentos.token", with: "\(world.directory)/token")
                .replacing("/etc/prometheus/agentos-ca.crt", with: "\(world.state)/pki/authority.crt")
                .replacing("rules.yaml", with: "\(PrometheusTests.deploy)/prometheus/rules.yaml")
            let path = world.write("prometheus.yaml", text)
            let base = "\(world.directory)/prometheus"
            pid = World.start(
                [
                    PrometheusTests.prometheus, "--config.file=\(path)", "--storage.tsdb.path=\(base)",
                    "--web.listen-address=127.0.0.1:\(self.port)", "--enable-feature=exemplar-storage",
                ], world.environment, nil, "\(base).out", "\(base).err")
            World.until("Prometheus is ready") { self.get("/api/v1/status/buildinfo") != nil }
        }

        func end() {
            World.kill(pid, SIGKILL)
            _ = World.wait(pid)
        }

        func get(_ target: String) -> Node? {
            let code =
                "import sys,urllib.request\nprint(urllib.request.urlopen(sys.argv[1],timeout=60).read().decode())"
            let result = world.spawn(["python3", "-c", code, "http://127.0.0.1:\(port)\(target)"])
            return result.code == 0 ? JSONReader.read(result.output) : nil
        }

        func query(_ expression: String) -> Node? {
            let code = "import sys,urllib.parse\nprint(urllib.parse.quote(sys.argv[1],safe=''))"
            let text = world.spawn(["python3", "-c", code, expression]).output.filter { !$0.isNewline }
            return get("/api/v1/query?query=\(text)")
        }

        /// Of the one series that an expression comes to now.
        func value(_ expression: String) -> String? {
            let result = query(expression)?[path: "data", "result"]?.list ?? []
            return result.count == 1 ? result[0]["value"]?.list?.last?.string : nil
        }
    }
}
