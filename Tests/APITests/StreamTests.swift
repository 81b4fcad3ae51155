import Glibc
import Support
import Testing
import Values

/// Commands over WebSocket as Python's clients send them, one connection after the other against one daemon.
@Suite(.serialized) struct StreamTests {
    /// `connect` gives a connection; what it says at the end is `finish`'s: output, error, and the object of the end.
    private static let client = """
        import json, os, select, socket, sys, threading, time, websocket
        def connect(command, protocol="v5.channel.k8s.io", pod="one-0", query="", what="exec", **flags):
            flags = dict({"stdout": True, "stderr": True}, **flags)
            words = [f"command={quote(w)}" for w in command] + [f"{k}=true" for k, v in flags.items() if v]
            fd = socket.socket(socket.AF_UNIX)
            fd.connect(sys.argv[1])
            fd.settimeout(60)
            path = f"/api/v1/namespaces/default/pods/{pod}/{what}?" + "&".join(words) + query
            return websocket.create_connection("ws://localhost" + path, socket=fd, subprotocols=[protocol] if protocol else None)
        from urllib.parse import quote
        def finish(ws, wait=0):
            streams = {1: b"", 2: b"", 3: b""}
            while True:
                if wait: time.sleep(wait)
                code, data = ws.recv_data()
                if code == 8: break
                if data: streams[data[0]] += data[1:]
            return streams[1], streams[2], json.loads(streams[3] or b"null")
        def code(status):
            if status["status"] == "Success": return 0
            return int([c["message"] for c in status["details"]["causes"] if c["reason"] == "ExitCode"][0])

        """

    private static let cases: [(name: String, code: String)] = [
        (
            "streams and exit codes",
            """
            for protocol in ("v5.channel.k8s.io", "v4.channel.k8s.io"):
                out, err, status = finish(connect(["sh", "-c", "echo out; echo err >&2; exit 7"], protocol))
                assert (out, err, code(status)) == (b"out\\n", b"err\\n", 7), (out, err, status)
                assert status["reason"] == "NonZeroExitCode", status
                assert code(finish(connect(["true"], protocol))[2]) == 0
            """
        ),
        (
            "programs that are not there or cannot be executed",
            """
            out, err, status = finish(connect(["/no/such"]))
            assert code(status) == 127 and b"/no/such" in err, (err, status)
            assert code(finish(connect(["/etc/passwd"]))[2]) == 126
            """
        ),
        (
            "input that ends (kubernetes#89899)",
            """
            ws = connect(["sh", "-c", "cat; echo end"], stdin=True)
            sent = bytes(range(256)) * 4000
            def send():
                for at in range(0, len(sent), 50000): ws.send_binary(b"\\x00" + sent[at:at + 50000])
                ws.send_binary(b"\\xff\\x00")
            # Both ways at once: who only sends is held back, as the command is that nobody reads.
            threading.Thread(target=send).start()
            out, err, status = finish(ws)
            assert out == sent + b"end\\n" and code(status) == 0, (len(out), status)
            """
        ),
        (
            "without stdin there is none",
            """
            assert finish(connect(["sh", "-c", "cat; echo end"]))[0] == b"end\\n"
            """
        ),
        (
            "a slow reader gets the last bytes (kubernetes#124571, kubectl#1361)",
            """
            ws = connect(["seq", "1", "300000"])
            time.sleep(2.5)
            out, err, status = finish(ws)
            assert out.endswith(b"\\n300000\\n") and len(out) == 1988895 and code(status) == 0, (len(out), status)
            """
        ),
        (
            "a reader that stands still stops the command",
            """
            ws = connect(["sh", "-c", "while echo 0123456789012345678901234567890123456789; do echo >> $HOME/lines; done"])
            home = finish(connect(["sh", "-c", "echo $HOME"]))[0].decode().strip() + "/lines"
            def size(): return os.path.getsize(home) if os.path.exists(home) else 0
            end = time.time() + 60
            while True:
                before = size(); time.sleep(0.5)
                if before and size() == before: break
                assert time.time() < end, "it runs on"
            assert size() < 60000, size()
            ws.close()
            """
        ),
        (
            "a command that does not read stops the client",
            """
            ws = connect(["sleep", "27182"], stdin=True)
            ws.sock.settimeout(1)
            sent = 0
            try:
                while sent < 64 << 20: sent += ws.send_binary(b"\\x00" + b"x" * 65536)
            except Exception: pass
            assert sent < 4 << 20, sent
            """
        ),
        (
            "a message in fragments with a ping between them",
            """
            ws = connect(["cat"], stdin=True)
            from websocket import ABNF
            ws.send_frame(ABNF.create_frame(b"\\x00ab", ABNF.OPCODE_BINARY, 0))
            ws.ping("here")
            ws.send_frame(ABNF.create_frame(b"cd", ABNF.OPCODE_CONT, 0))
            ws.send_frame(ABNF.create_frame(b"ef", ABNF.OPCODE_CONT, 1))
            ws.send_binary(b"\\xff\\x00")
            assert finish(ws)[0] == b"abcdef"
            """
        ),
        (
            "a terminal and its size",
            """
            ws = connect(["sh"], stdin=True, tty=True, stderr=False)
            ws.send_binary(b'\\x04{"Width":100,"Height":33}')
            ws.send_binary(b"\\x00stty size; test -t 0 && echo is''-terminal\\n")
            seen = b""
            while b"is-terminal" not in seen: seen += ws.recv()[1:]
            assert b"33 100" in seen, seen
            ws.send_binary(b'\\x04{"Width":120,"Height":33}')
            ws.send_binary(b"\\x00until stty size | grep '33 120'; do :; done; echo gr''own; exit 9\\n")
            out, err, status = finish(ws)
            assert b"grown" in out and code(status) == 9, (out, status)
            """
        ),
        (
            "a client that goes ends its command (javascript#2532)",
            """
            for polite in (True, False):
                ws = connect(["sh", "-c", "echo $$; while :; do sleep 0.1; done"])
                pid = int(ws.recv()[1:])
                if polite: ws.close()
                else: ws.sock.close()
                end = time.time() + 60
                while os.path.exists(f"/proc/{pid}"):
                    assert time.time() < end, "it runs on"
                    time.sleep(0.05)
            """
        ),
        (
            "output without end in both streams at once",
            """
            ws = connect(["sh", "-c", "seq 1 50000 & seq 1 50000 >&2; wait"])
            out, err, status = finish(ws)
            assert out.count(b"\\n") == 50000 and err.count(b"\\n") == 50000 and code(status) == 0
            """
        ),
        (
            "what it leaves behind does not hold it up",
            """
            # It would time out, long before that is over.
            out, err, status = finish(connect(["sh", "-c", "sleep 27182 & echo started"]))
            assert out == b"started\\n", out
            """
        ),
        (
            "subprotocols of old clients",
            """
            import base64
            ws = connect(["sh", "-c", "echo out; exit 3"], "base64.channel.k8s.io")
            texts = []
            while True:
                kind, data = ws.recv_data()
                if kind == 8: break
                texts.append((chr(data[0]), base64.b64decode(data[1:])))
            assert ("1", b"out\\n") in texts and texts[-1][0] == "3" and b"exit code: 3" in texts[-1][1], texts
            ws = connect(["echo", "plain"], None)
            assert b"\\x01plain\\n" == ws.recv()
            """
        ),
        (
            "what cannot be served is refused before the upgrade",
            """
            def refused(status, *words, **more):
                try: connect(*words, **more)
                except websocket.WebSocketBadStatusException as e:
                    assert e.status_code == status, e
                    return
                raise Exception(f"served: {words} {more}")
            refused(400, ["true"], protocol="v9.channel.k8s.io")
            refused(404, ["true"], pod="one")
            refused(404, ["true"], pod="one-3")
            refused(404, ["true"], pod="none-0")
            refused(400, [])
            refused(400, ["true"], query="&tty=maybe")
            refused(400, ["true"], query="&whatever=1")
            refused(400, ["true"], query="&container=other")
            refused(400, [], what="attach", stdin=True)
            """
        ),
        (
            "attach follows what is written from now on",
            """
            ws = connect([], what="attach", pod="loud-0")
            first, second = ws.recv(), ws.recv()
            assert first[:1] == b"\\x01" and first[1:].startswith(b"tick"), first
            ws.close()
            """
        ),
    ]

    @Test func commandsOverWebSocketBehaveAsKubernetesClientsExpect() {
        inWorld { world in
            world.apply(
                World.agent("one", World.stays) + World.agent("loud", "while :; do echo tick; sleep 0.1; done"),
                "--wait")
            for (name, code) in Self.cases {
                let path = world.write("case.py", Self.client + code)
                let result = world.spawn(["/usr/bin/python3", path, world.socket])
                #expect(result.code == 0, "\(name): \(result.text)")
            }
            #expect(world.phase("one") == "Ready" && world.runOf("one")?["restarts"]?.int == 0)
            // Nothing is left of any of them.
            World.until("no command is left") { World.processes(with: "sleep 27182").isEmpty }
        }
    }
}
