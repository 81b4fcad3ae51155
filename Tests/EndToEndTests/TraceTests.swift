import Glibc
import Reconciler
import Support
import Testing
import Values

/// Traces of changes, as a receiver gets them that decodes OTLP with opentelemetry's own definitions.
@Suite(.serialized) struct TraceTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let caller = "b7ad6b7169203331"

    private struct Receiver {
        let directory: String
        let pid: pid_t
        var port: String { World.read("\(directory)/port") }

        init(_ world: World) throws {
            directory = "\(world.directory)/otlp"
            mkdir(directory, 0o700)
            let python = try #require(
                World.variable("AGENTOS_TEST_CLIENTS"), "AGENTOS_TEST_CLIENTS names no Python; scripts/test gets it")
            let path = directory
            pid = World.start(
                [python, "\(World.root)/Tests/EndToEndTests/otlp.py", directory], world.environment, nil,
                "\(path)/out", "\(path)/err")
            World.until("the receiver listens") { World.exists("\(path)/port") }
            world.write("headers", "x-token: of-the-test\n")
            chmod("\(world.directory)/headers", 0o600)
        }

        func end() {
            World.kill(pid, SIGKILL)
            _ = World.wait(pid)
        }

        var spans: [Node] {
            World.read("\(directory)/spans").split(separator: "\n").compactMap { JSONReader.read(String($0)) }
        }

        func spans(of trace: String) -> [Node] { spans.filter { $0["trace"]?.string == trace } }
        var problem: String { World.read("\(directory)/problem") }
    }

    private func start(_ world: World, _ receiver: Receiver, _ more: String = "") {
        let text = """
            tracesEndpoint: http://127.0.0.1:\(receiver.port)/v1/traces
            tracesHeadersFile: \(world.directory)/headers
            sinks:
            - {name: events, file: {path: \(world.directory)/events}}
            \(more)
            """
        let config = world.write("daemon.yaml", text)
        #expect(world.run("daemon", "start", "--config", config).code == 0, "\(world.log)")
    }

    /// Applies an agent as somebody whose own trace it is part of; returns the answer's `traceparent`.
    private func apply(_ world: World, _ name: String, flags: String = "01", _ script: String = World.stays) -> String {
        let manifest = World.agent(name, script).replacing("---\n", with: "")
        let code = """
            import http.client, socket, sys
            class Unix(http.client.HTTPConnection):
                def connect(self):
                    self.sock = socket.socket(socket.AF_UNIX)
                    self.sock.connect(sys.argv[1])
            c = Unix("localhost", timeout=120)
            c.request("PATCH", sys.argv[2], sys.argv[3].encode(),
                      {"Content-Type": "application/apply-patch+yaml", "traceparent": sys.argv[4]})
            r = c.getresponse()
            r.read()
            print(r.status, r.headers["traceparent"])
            """
        let path = "/apis/agentos.dev/v1/namespaces/default/agents/\(name)?fieldManager=test"
        let parent = "00-\(Self.trace)-\(Self.caller)-\(flags)"
        let result = world.spawn(["python3", "-c", code, world.socket, path, manifest, parent])
        #expect(result.output.hasPrefix("201 "), "\(result.text)")
        return String(result.output.split(separator: " ").last?.prefix { !$0.isNewline } ?? "")
    }

    @Test func oneTraceLeadsFromTheRequestToWhatIsReadyAndPublished() throws {
        try inWorld { world in
            let receiver = try Receiver(world)
            defer { receiver.end() }
            start(world, receiver)
            let answered = apply(world, "one")
            World.until("it is ready and told") {
                let names = receiver.spans(of: Self.trace).compactMap { $0["name"]?.string }
                return names.contains("start") && names.contains("operation start")
                    && receiver.spans(of: Self.trace).contains {
                        $0["name"] == "publish events" && $0[path: "attributes", "agentos.event"] == "run.ready"
                    }
            }
            #expect(receiver.problem == "")
            let spans = receiver.spans(of: Self.trace)
            func named(_ name: String) -> Node? { spans.first { $0["name"]?.string == name } }
            let request = try #require(spans.first { $0["kind"] == 2 })
            #expect(request["parent"]?.string == Self.caller && answered.contains(request["id"]?.string ?? "none"))
            for name in ["plan", "commit", "start"] { #expect(named(name)?["parent"] == request["id"], "\(name)") }
            #expect(named("operation start")?["parent"] == named("start")?["id"])
            let stages = named("start")?["events"]?.list?.compactMap(\.string) ?? []
            #expect(stages.first == "accepted" && stages.last == "ready" && stages.contains("seen"), "\(stages)")
            // Each event once to the journal, and from there to the sink.
            let ids = Set(spans.compactMap { $0["id"]?.string })
            #expect(ids.count == spans.count, "no span is told twice")
            for span in spans {
                #expect(span["service"] == "agentos-apply" && span["code"] == 0, "\(span)")
                for name in Reconciler.Span.required {
                    #expect(span[path: "attributes", name]?.string != nil, "\(span)")
                }
                let parent = span["parent"]?.string ?? ""
                #expect(parent == Self.caller || ids.contains(parent), "\(span)")
            }
            // The events say the same.
            let events = world.events().filter { $0[path: "object", "name"] == "one" }
            #expect(events.count > 3 && events.allSatisfy { $0["trace_id"]?.string == Self.trace }, "\(events)")
        }
    }

    @Test func whoeverDoesNotTellOfATraceIsNotToldOf() throws {
        try inWorld { world in
            let receiver = try Receiver(world)
            defer { receiver.end() }
            start(world, receiver)
            #expect(apply(world, "one", flags: "00").hasSuffix("-00"))
            world.apply(World.agent("two", World.stays), "--wait")
            World.until("another trace is told of") { receiver.spans.contains { $0["name"] == "start" } }
            #expect(!receiver.spans.contains { $0["kind"] == 2 && $0["trace"]?.string == Self.trace })
        }
    }

    /// What was under way is told as far as it came; what follows is in the same trace, and nothing is made up.
    @Test func aRestartEndsWhatIsUnderWayAndTheTraceGoesOn() throws {
        try inWorld { world in
            let receiver = try Receiver(world)
            defer { receiver.end() }
            start(world, receiver)
            _ = apply(world, "one", "test -e \(world.directory)/go || exit 1; \(World.stays)")
            World.until("it has failed") { world.runOf("one")?["lastExit"] != nil }
            #expect(world.run("daemon", "stop").code == 0)
            World.until("a start that came to nothing is told") {
                receiver.spans(of: Self.trace).contains { $0["name"] == "start" && $0["code"] == 2 }
            }
            world.write("go", "")
            start(world, receiver)
            World.until("the next start is ready, in the same trace") {
                receiver.spans(of: Self.trace).contains { $0["name"] == "start" && $0["code"] == 0 }
            }
            let last = receiver.spans(of: Self.trace).last { $0["name"] == "start" && $0["code"] == 0 }
            #expect(last?["parent"] == "", "the span of the request is not known any more")
        }
    }

    @Test func aReceiverThatIsAwayIsTriedAgainAndDropsAreCounted() throws {
        try inWorld { world in
            let receiver = try Receiver(world)
            defer { receiver.end() }
            world.write("otlp/answers", "[503, 429, 502]")
            start(world, receiver)
            _ = apply(world, "one")
            World.until("what was refused three times has come") {
                receiver.spans(of: Self.trace).contains { $0["kind"] == 2 }
            }
            #expect(World.read("\(receiver.directory)/refused").split(separator: "\n").count == 3)
            world.write("otlp/answers", "[400]")
            world.apply(World.agent("two", World.stays), "--wait")
            World.until("what nobody takes is told") { world.log.contains("traces are not delivered") }
            #expect(world.log.contains("it answers 400") && world.phase("two") == "Ready", "agents do not care")
        }
    }
}
