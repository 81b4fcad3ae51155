import Support
import Testing
import Values

/// What stands in the head of a request, and what does not.
@Suite struct HeadTests {
    private static let agents = "/apis/agentos.dev/v1/namespaces/default/agents"

    private static func ask(_ world: World, _ line: String, _ headers: String..., body: String = "") -> RawClient.Answer
    {
        let client = RawClient(world.socket)
        let lines = ["\(line) HTTP/1.1", "Host: x", "Content-Length: \(body.utf8.count)"] + headers
        client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        return client.answer() ?? RawClient.Answer(status: 0, head: "", body: [])
    }

    /// Several lines of one name are one list.
    @Test func whatIsAcceptedMayStandInSeveralLines() {
        inWorld { world in
            world.startDaemon()
            let table = Self.ask(
                world, "GET \(Self.agents)", "Accept: text/plain",
                "Accept: application/json;as=Table;v=v1;g=meta.k8s.io")
            #expect(table.status == 200 && table.text.contains("\"kind\":\"Table\""), "\(table)")
            func type(_ headers: String...) -> Bool {
                let client = RawClient(world.socket)
                let lines = ["GET /apis/agentos.dev/v1/eventlog HTTP/1.1", "Host: x"] + headers
                client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
                return client.answer(body: false)?.head.contains("Content-Type: text/event-stream") == true
            }
            #expect(type("Accept: application/json", "Accept: text/event-stream;charset=utf-8"))
            #expect(!type("Accept: application/x-text/event-stream") && !type("Accept: text/event-stream;q=0"))
        }
    }

    /// As long a selector as is documented is read, and answered beside as long a head.
    @Test func theLongestSelectorHasRoom() {
        inWorld { world in
            world.startDaemon()
            let maps = "/api/v1/namespaces/default/configmaps"
            let long = String(repeating: "a", count: 4096)
            let pair = "labelSelector=\(long)&fieldSelector=metadata.name=\(long.dropLast(20))"
            #expect(Self.ask(world, "GET \(maps)?\(pair)").status == 200)
            let over = Self.ask(world, "GET \(maps)?labelSelector=\(long)a")
            #expect(over.status == 400 && over.text.contains("\"kind\":\"Status\""), "\(over)")
        }
    }

    /// Nothing is null that is described as a text.
    @Test func eventsHaveNoTimeRatherThanNone() {
        inWorld { world in
            world.startDaemon()
            let map = "{\"metadata\":{\"name\":\"a\"}}"
            #expect(Self.ask(world, "POST /api/v1/namespaces/default/configmaps", body: map).status == 201)
            World.until("it is told of") {
                Self.ask(world, "GET /api/v1/events").text.contains("\"reason\":\"Created\"")
            }
            for path in ["/api/v1/events", "/apis/events.k8s.io/v1/events"] {
                let answer = Self.ask(world, "GET \(path)")
                #expect(answer.text.contains("\"kind\":\"Event\"") && !answer.text.contains(":null"), "\(path)")
            }
        }
    }

    @Test func numbersAreWrittenAsNumbers() {
        inWorld { world in
            world.startDaemon()
            for text in ["+5", " 5x", "0x5", "9223372036854775808", "-1", "٣"] {
                let answer = Self.ask(world, "GET /apis/agentos.dev/v1/eventlog", "Last-Event-ID: \(text)")
                #expect(answer.status == 400, "\(text)")
            }
            for text in ["+1", "0", "-1", "1e3", "9223372036854775808"] {
                #expect(Self.ask(world, "GET /apis/agentos.dev/v1/outbox/\(text)").status == 404, "\(text)")
            }
        }
    }

    /// Options that are wrong are named themselves, and no object with them.
    @Test func whatIsWrongWithADeletionNamesItsOptions() {
        inWorld { world in
            world.startDaemon()
            for (body, field) in [
                (#"{"gracePeriodSeconds":-1}"#, "gracePeriodSeconds"),
                (#"{"propagationPolicy":"Up"}"#, "propagationPolicy"),
            ] {
                for path in [Self.agents, "\(Self.agents)/one"] {
                    let answer = Self.ask(world, "DELETE \(path)", body: body)
                    let node = JSONReader.read(answer.text)
                    #expect(answer.status == 422, "\(answer)")
                    #expect(node?["message"]?.string?.hasPrefix("DeleteOptions is invalid: \(field): ") == true)
                    #expect(node?[path: "details", "name"] == nil, "\(answer.text)")
                    #expect(node?[path: "details", "causes"]?.list?.first?["field"]?.string == field)
                }
            }
        }
    }

    /// A log is read of one container, of agents as of pods.
    @Test func anotherContainerIsNoLog() {
        inWorld { world in
            world.apply(World.agent("one", "echo hello; exec sleep 1000"), "--wait")
            for path in ["\(Self.agents)/one/log", "/api/v1/namespaces/default/pods/one-0/log"] {
                #expect(Self.ask(world, "GET \(path)?container=other").status == 400, "\(path)")
                #expect(Self.ask(world, "HEAD \(path)?container=agent").status == 200, "\(path)")
            }
            for pod in ["one-1", "one", "two-0", "one-00"] {
                let answer = Self.ask(world, "GET /api/v1/namespaces/default/pods/\(pod)/log")
                #expect(answer.status == 404, "\(pod)")
            }
        }
    }
}
