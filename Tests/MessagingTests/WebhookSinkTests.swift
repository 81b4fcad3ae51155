import Conformance
import Glibc
import HTTPClient
import Messaging
import Reconciler
import Support
import Testing
import Values

/// Servers that answer something else than yes.
@Suite struct WebhookSinkTests {
    private static func events(_ positions: ClosedRange<Int64>, objects: Int64 = 1) -> [EventRecord] {
        positions.map { position in
            PeerConformance.event(
                position, object: Int((position - 1) % objects) + 1, sequence: (position - 1) / objects + 1)
        }
    }

    private static func failure(_ body: () throws -> Void) -> SinkFailure? {
        do { try body() } catch let failure as SinkFailure { return failure } catch { Issue.record(error) }
        return nil
    }

    private func inPeer(
        _ more: [(String, Node?)] = [], tls: [String] = [], _ body: (WebhookPeer) throws -> Void
    ) throws {
        let world = World()
        defer { world.close() }
        try body(WebhookPeer(world, more, tls: tls))
    }

    /// What an answer means to one event.
    enum Meaning: Sendable {
        case lost, gone, refused
        case busy(Int64)
    }

    @Test(
        arguments: [
            (500, nil, Meaning.lost), (502, nil, .lost), (503, nil, .lost), (503, "7", .busy(7000)),
            (429, "2", .busy(2000)),
            (429, nil, .lost), (429, "0", .busy(1000)), (429, "99999999999999999999", .busy(3_600_000)),
            (429, "soon", .lost),
            (503, "Fri, 31 Dec 1999 23:59:59 GMT", .busy(1000)),
            (503, "Fri, 31 Dec 2999 23:59:59 GMT", .busy(3_600_000)),
            (410, nil, .gone), (400, nil, .refused), (413, nil, .refused), (422, nil, .refused), (401, nil, .lost),
            (404, nil, .lost), (301, nil, .lost), (307, nil, .lost),
        ] as [(Int, String?, Meaning)])
    func anAnswerMeansOneThing(_ status: Int, retryAfter: String?, meaning: Meaning) throws {
        try inPeer { peer in
            let headers: [(String, Node?)] = [
                ("Retry-After", retryAfter.map(Node.text)), ("Location", "/elsewhere"),
            ]
            peer.answer([
                .map([("status", .number(status)), ("headers", .map(headers)), ("body", "not\u{7}\nnow")])
            ])
            var verdicts: [DeliveryVerdict] = []
            let sink = try peer.open()
            let failure = Self.failure { verdicts = try sink.append(Self.events(1...1)) }
            let words: String
            switch meaning {
            case .lost: if case .lost(let why) = failure { words = why } else { words = "" }
            case .gone: if case .gone(let why) = failure { words = why } else { words = "" }
            case .refused: if case .refused(let why) = verdicts.first?.outcome { words = why } else { words = "" }
            case .busy(let wanted):
                if case .busy(let why, let ms) = failure, ms == wanted { words = why } else { words = "" }
            }
            #expect(
                words.contains("the webhook answered \(status)") && words.contains("not  now"),
                "\(status) came out as \(failure.debugDescription), \(verdicts)")
            #expect(peer.requests.map { $0["path"]?.string } == ["/events"], "no redirect is followed")
            // It comes again, and is taken.
            if case .refused = meaning { return }
            #expect(try sink.append(Self.events(1...1)) == Self.events(1...1).map { DeliveryVerdict($0) })
            #expect(Set(peer.requests.map { $0["id"]?.string }).count == 1, "the same body has the same id")
        }
    }

    /// A server that refuses a batch is asked for each event: the one that it means is refused, its object waits.
    @Test func aRefusedEventIsFoundInItsBatch() throws {
        try inPeer { peer in
            let events = Self.events(1...6, objects: 2)
            peer.answer([400, 204, 204, 422].map { .map([("status", .number($0))]) })
            let verdicts = try peer.open().append(events)
            #expect(verdicts.map(\.position) == [1, 2, 3, 4, 6])
            #expect(verdicts.filter { $0.outcome == .confirmed }.map(\.position) == [1, 2, 4, 6])
            guard case .refused(let words) = verdicts[2].outcome else {
                Issue.record("\(verdicts)")
                return
            }
            #expect(words.contains("422"))
        }
    }

    /// The event that it fails at is postponed, and what follows it of its object waits; all others go on.
    @Test(arguments: WebhookSettings.Format.allCases)
    func anEventThatTheServerFailsAtHoldsUpItsObjectAlone(_ format: WebhookSettings.Format) throws {
        try inPeer([("format", .text(format.rawValue))]) { peer in
            let events = Self.events(1...8, objects: 4)
            peer.answer([2, 3].map { Self.failing(500, at: events[$0 - 1]) })
            let sink = try peer.open()
            for _ in 0..<2 {
                let found = try sink.append(events).map { verdict in
                    switch verdict.outcome {
                    case .confirmed: "\(verdict.position) confirmed"
                    case .postponed(let why): "\(verdict.position) postponed: \(why)"
                    case .refused(let why): "\(verdict.position) refused: \(why)"
                    }
                }
                let why = "postponed: the webhook answered 500"
                #expect(
                    found == ["1 confirmed", "2 \(why)", "3 \(why)", "4 confirmed", "5 confirmed", "8 confirmed"])
            }
            peer.answer([])
            #expect(try sink.append(events) == events.map { DeliveryVerdict($0) })
        }
    }

    /// By itself, an event is believed to be meant when the server was well before; twice in a row tells nothing of it.
    @Test func aServerThatFailsAtAllIsAway() throws {
        try inPeer { peer in
            let sink = try peer.open()
            let events = Self.events(1...40, objects: 40)
            peer.answer([.map([("status", 500), ("about", "")])])
            let failure = Self.failure { _ = try sink.append(events) }
            guard case .lost? = failure else {
                Issue.record("\(failure.debugDescription)")
                return
            }
            #expect(peer.requests.count < 20, "it is left alone after some: \(peer.requests.count)")
            peer.answer([])
            #expect(try sink.append(Array(events.prefix(2))).count == 2)
            peer.answer([Self.failing(500, at: events[2])])
            let verdicts = try sink.append([events[2]])
            #expect(verdicts.count == 1 && verdicts.first?.outcome != .confirmed)
            guard case .lost? = Self.failure({ _ = try sink.append([events[2]]) }) else {
                Issue.record("nothing was taken in between, so that the server may be meant")
                return
            }
        }
    }

    /// What is answered to requests with an event.
    private static func failing(_ status: Int, at event: EventRecord) -> Node {
        .map([("status", .number(status)), ("about", .text("\"id\":\"\(event.uid.text)-\(event.sequence)\""))])
    }

    @Test func aServerThatHangsIsGivenUp() throws {
        try inPeer([("timeout", "1s")]) { peer in
            peer.answer([.map([("status", 204), ("delay", 100_000)])])
            let sink = try peer.open()
            let failure = Self.failure { _ = try sink.append(Self.events(1...2)) }
            guard case .lost(let words)? = failure else {
                Issue.record("\(failure.debugDescription)")
                return
            }
            #expect(words.contains("within 1000 ms"), "\(words)")
            // The answer that comes too late is a yes: the receiver sees a double, with the same ids.
            World.until("it is taken") { Self.failure { _ = try sink.append(Self.events(1...2)) } == nil }
            World.until("it has come twice") { peer.requests.count >= 2 }
            #expect(Set(peer.requests.map { $0["id"]?.string }).count == 1)
        }
    }

    @Test func anEndlessAnswerIsNotRead() throws {
        try inPeer { peer in
            peer.answer([.map([("status", 500), ("body", .text(String(repeating: "z", count: 1 << 20)))])])
            let failure = Self.failure { _ = try peer.open().append(Self.events(1...1)) }
            #expect((failure?.words.count ?? .max) < 300, "\(failure.debugDescription)")
        }
    }

    /// A secret is replaced while requests that were signed with the old one are still believed.
    @Test func twoSecretsSignWhileOneReplacesTheOther() throws {
        try inPeer { peer in
            let sink = try peer.open()
            let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
            peer.write("secret", "# new\n\(other)\n\(WebhookPeer.secret)\n")
            _ = try sink.append(Self.events(1...1))
            peer.write("secret", "\(other)\n")
            let failure = Self.failure { _ = try sink.append(Self.events(2...2)) }
            #expect(failure?.words.contains("secretFile") == true && failure?.words.contains("AAAA") == false)
            #expect(peer.requests.map { $0["signed"]?.bool } == [true, false])
        }
    }

    @Test(
        arguments: [
            ("", 0o600, "0 secrets"), ("secret", 0o600, "no secret"), ("whsec_AAAA", 0o600, "no secret"),
            (WebhookPeer.secret, 0o644, "mode 0600"),
            ("\(WebhookPeer.secret)\n\(WebhookPeer.secret)\n\(WebhookPeer.secret)", 0o600, "3 secrets"),
        ] as [(String, mode_t, String)])
    func aSecretThatCannotBeUsedIsTold(_ text: String, mode: mode_t, words: String) throws {
        try inPeer { peer in
            let sink = try peer.open()
            peer.write("secret", text)
            chmod("\(peer.directory)/secret", mode)
            let failure = Self.failure { _ = try sink.append(Self.events(1...1)) }
            #expect(failure?.words.contains(words) == true, "\(failure.debugDescription)")
            #expect(failure?.words.contains("MfKQ") == false && peer.requests.isEmpty)
        }
    }

    @Test func certificatesAreVerified() throws {
        let world = World()
        defer { world.close() }
        let (certificate, key) = try world.certificate(for: "IP:127.0.0.1")
        let (other, otherKey) = try world.certificate(for: "DNS:elsewhere.example")
        for (files, authority, isGood) in [
            ([certificate, key], nil, false), ([certificate, key], certificate, true),
            ([certificate, key], other, false),
            ([other, otherKey], other, false),
        ] as [([String], String?, Bool)] {
            try inPeer([("caFile", authority.map(Node.text))], tls: files) { peer in
                let sink = try peer.open()
                let failure = Self.failure { _ = try sink.append(Self.events(1...1)) }
                #expect((failure == nil) == isGood, "\(failure.debugDescription)")
                #expect(try peer.received().count == (isGood ? 1 : 0))
            }
        }
    }
}

extension World {
    /// A certificate that signs itself, and its key.
    func certificate(for name: String) throws -> (certificate: String, key: String) {
        let base = "\(directory)/\(name.replacing(":", with: "-"))"
        let result = spawn(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2",
                "-subj", "/CN=test", "-addext", "subjectAltName=\(name)", "-keyout", "\(base).key", "-out",
                "\(base).crt",
            ])
        try #require(result.code == 0, "\(result.text)")
        chmod("\(base).key", 0o600)
        return ("\(base).crt", "\(base).key")
    }
}
