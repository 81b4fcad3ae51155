import Support
import Testing
import Values

@testable import HTTP

/// Long answers, compressed for those who ask for it.
@Suite(.serialized) struct GzipTests {
    /// Asks over one connection; tells of each answer its code, what stands in its head, and what its bytes say.
    private static let code = """
        import gzip, hashlib, http.client, json, socket, sys
        work = json.loads(sys.stdin.read())
        client = http.client.HTTPConnection("localhost")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(work["socket"])
        def ask(method, target, accept, known):
            headers = {"Accept-Encoding": accept} if accept else {"Accept-Encoding": "identity"}
            if known: headers["If-None-Match"] = known
            client.request(method, target, headers=headers)
            answer = client.getresponse()
            raw = answer.read()
            encoding = answer.getheader("Content-Encoding", "")
            plain = gzip.decompress(raw) if encoding == "gzip" else raw
            return {"code": answer.status, "encoding": encoding, "vary": answer.getheader("Vary", ""),
                    "tag": answer.getheader("ETag", ""), "sent": len(raw), "says": hashlib.sha256(plain).hexdigest()}
        print(json.dumps([ask(*line) for line in work["lines"]]))
        """

    private static func ask(_ world: World, _ lines: [[String]]) -> [Node] {
        let work = Node.map([
            ("socket", .text(world.socket)), ("lines", .list(lines.map { .list($0.map(Node.text)) })),
        ])
        let result = world.spawn(
            ["/usr/bin/python3", "-c", code], input: JSONWriter.text(work))
        let answers = JSONReader.read(result.output)?.list ?? []
        #expect(answers.count == lines.count, "\(result.text)")
        return answers.count == lines.count ? answers : lines.map { _ in .emptyMap }
    }

    private static let maps = "/api/v1/namespaces/default/configmaps"

    /// Text that hardly gets shorter.
    private static func noise(_ count: Int, _ seed: UInt64) -> String {
        var random = SplitMix(seed: seed)
        return Base64.encode((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    private static func put(_ world: World, _ name: String, _ text: String) {
        let answer = RawClient.ask(
            world.socket, "POST", maps, "{\"metadata\":{\"name\":\"\(name)\"},\"data\":{\"k\":\"\(text)\"}}")
        #expect(answer?.status == 201, "\(answer?.text ?? "")")
    }

    @Test func longAnswersAreCompressedForWhoAsksForIt() {
        inWorld { world in
            world.startDaemon()
            Self.put(world, "plain", String(repeating: "words and words ", count: 40_000))
            Self.put(world, "noise", Self.noise(600_000, 1))
            Self.put(world, "short", "x")
            for target in [Self.maps, "\(Self.maps)/plain", "\(Self.maps)/noise"] {
                let answers = Self.ask(
                    world,
                    [
                        ["GET", target, "", ""], ["GET", target, "gzip", ""],
                        ["GET", target, "deflate, gzip;q=0.5", ""],
                        ["GET", target, "gzip;q=0", ""], ["GET", target, "*", ""], ["HEAD", target, "gzip", ""],
                        ["GET", target, "gzip", ""],
                    ])
                let says = answers[0]["says"]
                for (place, answer) in answers.enumerated() where place != 5 {
                    #expect(answer["code"] == 200 && answer["says"] == says, "\(target) \(place): \(answer)")
                    #expect(answer["encoding"] == .text([1, 2, 6].contains(place) ? "gzip" : ""), "\(place)")
                    #expect(answer["vary"]?.string?.contains("Accept-Encoding") == true, "\(place)")
                }
                #expect(answers[5]["encoding"] == "", "the head says how long it is")
                if target.hasSuffix("plain") {
                    #expect((answers[1]["sent"]?.int ?? .max) < (answers[0]["sent"]?.int ?? 0) / 20)
                }
            }
            #expect(Self.ask(world, [["GET", "\(Self.maps)/short", "gzip", ""]])[0]["encoding"] == "")
        }
    }

    /// The same bytes have one tag; what says the same in other bytes has a weak one.
    @Test func tagsKnowBothForms() {
        inWorld { world in
            world.startDaemon()
            let target = "/openapi/v2"
            let first = Self.ask(world, [["GET", target, "", ""], ["GET", target, "gzip", ""]])
            let tag = first[0]["tag"]?.string ?? ""
            #expect(first[1]["encoding"] == "gzip" && first[1]["tag"] == .text("W/\(tag)") && tag.hasPrefix("\""))
            #expect(first[1]["vary"] == "Accept, Accept-Encoding")
            let known = Self.ask(
                world,
                [["GET", target, "gzip", tag], ["GET", target, "gzip", "W/\(tag)"], ["GET", target, "", "W/\(tag)"]])
            #expect(known.allSatisfy { $0["code"] == 304 && $0["sent"] == 0 }, "\(known)")
        }
    }

    /// Compressing has a price; who reads nothing does not take all the room for it.
    @Test func soManyAreCompressedAtATime() {
        inWorld { world in
            world.startDaemon()
            for index in 0..<4 { Self.put(world, "m\(index)", Self.noise(700_000, UInt64(index))) }
            let request = "GET \(Self.maps) HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
            func open() -> (RawClient, Bool) {
                let client = RawClient(world.socket)
                client.send(request)
                return (client, client.answer(body: false)?.head.contains("Content-Encoding: gzip") == true)
            }
            var clients = (0..<40).map { _ in open() }
            #expect(clients.filter(\.1).count == HTTPLimits().compressedMax)
            clients = []
            World.until("there is room again") { open().1 }
        }
    }
}
