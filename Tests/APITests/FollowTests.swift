import Glibc
import Support
import Testing
import Values

/// Answers without an end in other forms than HTTP's own: messages of WebSocket, Server-Sent Events.
@Suite(.serialized) struct FollowTests {
    private static let client = """
        import json, socket, sys, time, websocket
        N = "/apis/agentos.dev/v1/namespaces/default"
        def dial(path, protocols=None):
            fd = socket.socket(socket.AF_UNIX)
            fd.connect(sys.argv[1])
            fd.settimeout(60)
            return websocket.create_connection("ws://localhost" + path, socket=fd, subprotocols=protocols)

        """

    private func check(_ world: World, _ name: String, _ code: String) {
        let path = world.write("case.py", Self.client + code)
        let result = world.spawn(["/usr/bin/python3", path, world.socket])
        #expect(result.code == 0, "\(name): \(result.text)")
    }

    @Test func watchesLogsAndEventsAreMessagesOfWebSocket() {
        inWorld { world in
            world.apply(World.agent("one", "while :; do echo tick; sleep 0.1; done"), "--wait")
            check(
                world, "a watch",
                """
                ws = dial(N + "/agents?watch=true")
                kind, data = ws.recv_data()
                event = json.loads(data)
                assert kind == 1 and event["type"] == "ADDED" and event["object"]["metadata"]["name"] == "one", event
                ws.ping("x")
                ws.close()
                """)
            check(
                world, "a log",
                """
                ws = dial(N + "/agents/one/log?follow=true", ["binary.k8s.io"])
                kind, data = ws.recv_data()
                assert kind == 2 and data.startswith(b"tick\\n"), (kind, data)
                ws = dial(N + "/agents/one/log?tailLines=1", ["v4.channel.k8s.io"])
                data = b""
                while True:
                    kind, more = ws.recv_data()
                    if kind == 8: break
                    data += more
                assert data == b"tick\\n", data
                """)
            check(
                world, "events",
                """
                ws = dial("/apis/agentos.dev/v1/events/stream")
                first, second = json.loads(ws.recv()), json.loads(ws.recv())
                assert first["event"]["position"] < second["event"]["position"], (first, second)
                """)
            // A watch of WebSocket is told what changes, and ends with its client.
            let watch = RawClient(world.socket)
            watch.send(
                "GET /api/v1/configmaps?watch=true HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            #expect(watch.answer(body: false)?.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == true)
            world.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n")
            #expect(watch.read { $0.contains("settings") }.contains("\"ADDED\""))
        }
    }

    @Test func eventsAreSentAndGoOnWhereTheyStood() throws {
        try inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            func stream(_ path: String, _ headers: String = "") -> RawClient {
                let client = RawClient(world.socket)
                client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
                return client
            }
            func ids(_ text: String) -> [Int] {
                // What follows the last end of a line has not come whole.
                text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                    .filter { $0.hasPrefix("id: ") }.compactMap { Int($0.dropFirst(4)) }
            }
            let path = "/apis/agentos.dev/v1/events/stream"
            let first = stream(path)
            let head = first.answer(body: false)
            #expect(head?.status == 200 && head?.head.contains("text/event-stream") == true)
            let seen = first.read { ids($0).count >= 3 }
            let last = try #require(ids(seen).dropFirst().first)
            #expect(seen.contains("\ndata: {"))
            let second = stream(path, "Last-Event-ID: \(last)\r\n")
            #expect(second.answer(body: false)?.status == 200)
            let next = second.read { !ids($0).isEmpty }
            #expect(ids(next).first == ids(seen)[2], "it goes on with the next one")
            let asked = stream("/apis/agentos.dev/v1/eventlog", "Accept: text/event-stream\r\n")
            #expect(asked.answer(body: false)?.head.contains("text/event-stream") == true)
            #expect(ids(asked.read { ids($0).count >= 3 }).prefix(3) == ids(seen).prefix(3))
            for id in ["x", "-1", "9223372036854775808"] {
                #expect(stream(path, "Last-Event-ID: \(id)\r\n").answer()?.status == 400, "\(id)")
            }
        }
    }
}
