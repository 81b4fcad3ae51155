import HTTPClient
import Manifests
import Testing
import Values
import agentos_apply

@Suite struct ClientTests {
    /// - Parameter probeMs: how long a sign of life is waited for after a moment of silence; nil: all is as usual.
    private func client(_ server: SocketServer, probeMs: Int64? = nil) -> Client {
        var patience = Client.Patience()
        if let probeMs {
            patience.silenceMs = 100
            patience.probeMs = probeMs
        }
        return Client(.socket(server.path), patience: patience)
    }

    private func failure(_ body: () throws -> Void) -> Client.Failure? {
        do { try body() } catch let failure as Client.Failure { return failure } catch { Issue.record(error) }
        return nil
    }

    @Test func anAnswerIsRead() throws {
        let server = SocketServer { _ in SocketServer.http(#"{"a":1}"#) }
        let response = try client(server).send(Client.Request("GET", "/x"))
        #expect(response.status == 200)
        #expect(try Answer.node(response.body)["a"]?.int == 1)
    }

    @Test func nobodyThereIsAbsent() {
        let failure = failure { _ = try Client(.socket("/tmp/no/such.sock")).send(Client.Request("GET", "/x")) }
        #expect(failure == .absent("No such file or directory"))
    }

    /// A daemon that is stopped takes connections and says nothing: that is neither absence nor a wait for ever.
    @Test(.timeLimit(.minutes(10))) func aSilentDaemonIsToldAsSuch() {
        let server = SocketServer { _ in nil }
        var endless = Client.Request("GET", "/x")
        endless.timeoutMs = nil
        for request in [Client.Request("GET", "/x"), endless] {
            guard case .silent = failure({ _ = try client(server, probeMs: 100).send(request) }) else {
                Issue.record("a silent daemon is not told")
                continue
            }
        }
        guard case .silent = failure({ _ = try client(server, probeMs: 100).lines(endless) { _ in true } }) else {
            Issue.record("a silent stream is not told")
            return
        }
    }

    /// One that is busy with a request and lives is waited for, up to the time of the request.
    @Test(.timeLimit(.minutes(10))) func aDaemonThatLivesIsWaitedFor() {
        let server = SocketServer { $0 == "/livez" ? SocketServer.http("ok") : nil }
        var request = Client.Request("GET", "/slow")
        request.timeoutMs = 1000
        #expect(failure { _ = try client(server, probeMs: 60_000).send(request) } == .late(afterMs: 1000))
    }

    @Test func aCutAnswerIsAnError() {
        let server = SocketServer { _ in SocketServer.http(#"{"items":["#, length: 1000) }
        guard case .cut = failure({ _ = try client(server).send(Client.Request("GET", "/x")) }) else {
            Issue.record("a cut answer was taken")
            return
        }
        let lines = SocketServer { _ in SocketServer.http("{}\n{") }
        guard case .cut = failure({ _ = try client(lines).lines(Client.Request("GET", "/x")) { _ in true } }) else {
            Issue.record("a cut line was dropped")
            return
        }
    }

    /// A connection that was kept for the next request, and that the daemon has closed: the request is sent again.
    @Test func aConnectionThatWasClosedMeanwhileIsMadeAnew() {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
        let server = SocketServer { _ in answer }
        let requests = (0..<5).map { Client.Request("GET", "/\($0)") }
        let answers = client(server).perform(requests, concurrency: 1)
        #expect(answers.allSatisfy { (try? $0.get())?.body == Array("ok".utf8) })
    }

    @Test func whatIsNoHTTPIsAnError() {
        let server = SocketServer { _ in Array("SSH-2.0-OpenSSH\r\n".utf8) }
        guard case .notUnderstood = failure({ _ = try client(server).send(Client.Request("GET", "/x")) }) else {
            Issue.record("it was understood")
            return
        }
    }

    @Test func whatIsNotUnderstoodIsAnError() {
        for body in ["", "ok", "{", "[1,]", "{}{}"] {
            guard case .notUnderstood = failure({ _ = try Answer.node(Array(body.utf8)) }) else {
                Issue.record("\(body) was understood")
                continue
            }
        }
    }

    @Test func eachFailureHasItsCodeAndItsWords() {
        let table: [(Client.Failure, ExitCode, String)] = [
            (.absent("Connection refused"), .noDaemon, "Start one with"), (.forbidden("no"), .failure, "its own user"),
            (.silent(afterMs: 20_000), .timeout, "has said nothing for 20 s"), (.late(afterMs: 5000), .timeout, "5 s"),
            (.cut("x"), .failure, "not complete"), (.tooLarge(bytesMax: 1 << 20), .failure, "larger than 1 MiB"),
            (.notUnderstood("x"), .failure, "not understood"),
            (.unable("x"), .failure, "this program cannot speak to /s: x"),
        ]
        for (failure, code, words) in table {
            let problem = CommandProblem(failure, .socket("/s"))
            #expect(problem.code == code && problem.message.contains(words), "\(problem)")
            // Advice to start a daemon only where none is.
            #expect(problem.message.contains("Start one") == (code == .noDaemon))
        }
    }
}

@Suite struct ListReaderTests {
    private func read(_ text: String, pieces: Int = 1) throws -> (names: [String], end: ListReader.Envelope) {
        var reader = ListReader()
        var names: [String] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            try bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { piece in
                try reader.feed(piece) { names.append($0["name"]?.string ?? "?") }
            }
        }
        return (names, try reader.end())
    }

    @Test(arguments: [1, 2, 3, 7, 1000]) func aListIsTheSameInPiecesOfAnySize(pieces: Int) throws {
        let text = """
            {"kind":"AgentList","items" : [ {"name":"a","x":[1,[2,{"items":[]}]]} , {"name":"b \\"],{\\\\"}],
             "metadata":{"resourceVersion":"7","continue":"abc","labels":["items"]}}
            """
        let (names, end) = try read(text, pieces: pieces)
        #expect(names == ["a", "b \"],{\\"])
        #expect(end == ListReader.Envelope(version: "7", next: "abc"))
    }

    @Test func anEmptyListIsEmpty() throws {
        let (names, end) = try read(#"{"metadata":{"resourceVersion":"7","continue":""},"items":[ ]}"#)
        #expect(names.isEmpty && end == ListReader.Envelope(version: "7", next: nil))
    }

    /// Whatever is left out at the end, or is no list, is an error.
    @Test func lessThanAListIsAnError() {
        let whole = #"{"metadata":{"resourceVersion":"7"},"items":[{"name":"a"},{"name":"b"}]}"#
        for count in 0..<whole.utf8.count {
            #expect(throws: Client.Failure.self, "\(count)") { try read(String(whole.prefix(count))) }
        }
        for text in [
            "{}", "[]", #"{"items":{}}"#, #"{"items":null}"#, #"{"kind":"Status","status":"Failure"}"#, "ok",
            #"{"items":[{"name":"a"},]}"#, #"{"items":[,{"name":"a"}]}"#, #"{"items":[{"name":}]}"#,
            #"{"items":[{"name":"a"}]}}"#, #"{"items":[]} x"#,
        ] { #expect(throws: Client.Failure.self, "\(text)") { try read(text) } }
    }

    /// More than one JSON text may have, and more than was ever read whole.
    @Test func aListOfAnyLengthIsRead() throws {
        let padding = String(repeating: "x", count: 1000)
        let item = #"{"name":"a","p":"\#(padding)"}"#
        var reader = ListReader()
        var count = 0
        func feed(_ text: String) throws {
            try Array(text.utf8).withUnsafeBytes { try reader.feed($0) { _ in count += 1 } }
        }
        try feed(#"{"items":["#)
        for number in 0..<16_526 { try feed((number > 0 ? "," : "") + item) }
        try feed(#"],"metadata":{"resourceVersion":"1"}}"#)
        #expect(count == 16_526)
        #expect(try reader.end().next == nil)
    }
}
