import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Testing
import Values

/// Streams and servers that are other than one would like.
@Suite(.serialized) struct NATSSinkTests {
    private static func events(_ positions: ClosedRange<Int64>, objects: Int64 = 1, note: String = "") -> [EventRecord]
    {
        positions.map { position in
            PeerConformance.event(
                position, object: Int((position - 1) % objects) + 1, sequence: (position - 1) / objects + 1, note: note)
        }
    }

    private static func failure(_ body: () throws -> Void) -> SinkFailure? {
        do { try body() } catch let failure as SinkFailure { return failure } catch { Issue.record(error) }
        return nil
    }

    private func inPeer(
        _ server: String = NATSPeer.servers[0], _ more: [(String, Node?)] = [], configuration: String = "",
        _ body: (NATSPeer) throws -> Void
    ) throws {
        let world = World()
        defer { world.close() }
        try body(NATSPeer(world, server, more, configuration: configuration))
    }

    /// Hands events over until they are confirmed.
    private static func insist(_ events: [EventRecord], in sink: any EventSink) {
        var left = events[...]
        World.until("all events are confirmed", 240_000) {
            do { left = left.dropFirst(try sink.append(Array(left.prefix(200))).count) } catch {}
            return left.isEmpty
        }
    }

    /// The settings of a daemon change as often as somebody likes.
    @Test func aSinkThatIsReplacedKeepsNoDescriptor() throws {
        let settings = try NATSSettings.read(.map([("servers", ["nats://127.0.0.1:1"])]), file: "test")
        let before = World.names("/proc/self/fd").count
        for _ in 0..<1000 {
            let sink = NATSSink(settings)
            #expect(try sink.append([]).isEmpty)
        }
        // Other tests of this process open some, too.
        #expect(World.names("/proc/self/fd").count - before < 500)
    }

    private static func positions(_ nodes: [Node]) -> [Int] { nodes.map { $0["position"]?.int ?? -1 } }

    @Test(arguments: NATSPeer.servers) func messagesSayWhatTheyAre(_ server: String) throws {
        try inPeer(server) { peer in
            let events = Self.events(1...3)
            var cluster = PeerConformance.event(4, sequence: 4)
            (cluster.namespace, cluster.type) = ("", "namespace.created")
            var odd = PeerConformance.event(5, sequence: 5)
            odd.namespace = "a.b >*"
            try Self.insist(events + [cluster, odd], in: peer.open())
            let messages = try peer.messages()
            #expect(
                messages.map { $0["subject"]?.string } == [
                    "agentos.team.run.started", "agentos.team.run.started", "agentos.team.run.started",
                    "agentos._.namespace.created", "agentos.a%2Eb%20%3E%2A.run.started",
                ])
            #expect(messages.map { $0["id"]?.string } == (1...5).map { "\(events[0].uid.text)-\($0)" })
            for message in messages {
                #expect(message["type"]?.string == "application/cloudevents+json; charset=utf-8")
                let event = message["content"]?.string.flatMap { JSONReader.read($0) }
                #expect(event?["id"] == message["id"] && event?["specversion"] == "1.0")
            }
            #expect(peer.told.withLock { $0 } == ["the stream AGENTOS was made, for agentos.*.*.>"])
        }
    }

    /// The server drops what it has, and says yes again.
    @Test(arguments: NATSPeer.servers) func whatComesAgainStandsOnce(_ server: String) throws {
        try inPeer(server) { peer in
            let events = Self.events(1...200, objects: 9)
            for _ in 1...3 {
                let verdicts = try peer.open().append(events)
                #expect(verdicts == events.map { DeliveryVerdict($0) })
            }
            let messages = try peer.messages()
            #expect(messages.count == 200)
        }
    }

    @Test func aStreamOfOtherLimitsIsToldAndLeftAsItIs() throws {
        try inPeer { peer in
            let configuration = #"{"subjects": ["agentos.>"], "max_bytes": 1000000, "duplicate_window": 60}"#
            _ = try peer.python("stream_admin", [peer.address, "AGENTOS", "make", configuration])
            let sink = try peer.open()
            Self.insist(Self.events(1...2), in: sink)
            Self.insist(Self.events(3...4), in: sink)
            let told = peer.told.withLock { $0 }
            #expect(told.count == 1, "\(told)")
            for words in ["is left as it is", "streamBytes is 1000000", "duplicates in ms is 60000"] {
                #expect(told.first?.contains(words) == true, "\(told)")
            }
            #expect(try Self.positions(peer.received()) == [1, 2, 3, 4])
        }
    }

    @Test func subjectsOfAnotherStreamAreNotUsed() throws {
        try inPeer { peer in
            _ = try peer.python("stream_admin", [peer.address, "OTHER", "make", #"{"subjects": ["agentos.>"]}"#])
            let sink = try peer.open()
            #expect(Self.failure { _ = try sink.append(Self.events(1...2)) }?.words.contains("cannot be made") == true)
            _ = try peer.python("stream_admin", [peer.address, "OTHER", "delete"])
            Self.insist(Self.events(1...2), in: sink)
            #expect(try Self.positions(peer.received()) == [1, 2])
        }
    }

    @Test(arguments: NATSPeer.servers) func aFullStreamIsBusyAndGoesOn(_ server: String) throws {
        try inPeer(server, [("streamBytes", "100Ki"), ("discard", "New")]) { peer in
            let sink = try peer.open()
            let events = Self.events(1...40, objects: 3, note: String(repeating: "x", count: 5000))
            var confirmed = 0
            var failure: SinkFailure?
            World.until("the stream is full") {
                failure = Self.failure { confirmed += try sink.append(Array(events[confirmed...].prefix(7))).count }
                return failure != nil
            }
            guard case .busy(let words, let ms)? = failure else {
                Issue.record("\(failure.debugDescription)")
                return
            }
            #expect(
                words.contains("the stream AGENTOS is full") && ms >= 1000 && confirmed > 5 && confirmed < 40,
                "\(words)")
            let before = try Self.positions(peer.received())
            #expect(Set(before).isSuperset(of: 1...confirmed))
            _ = try peer.python("stream_admin", [peer.address, "AGENTOS", "purge"])
            Self.insist(Array(events[confirmed...].prefix(14)), in: sink)
            var last: [String: Int] = [:]
            for envelope in try peer.received() {
                let uid = envelope[path: "object", "uid"]?.string ?? ""
                #expect((envelope["sequence"]?.int ?? 0) > (last[uid] ?? 0))
                last[uid] = envelope["sequence"]?.int
            }
        }
    }

    @Test func aDeletedStreamIsMadeAgain() throws {
        try inPeer { peer in
            let sink = try peer.open()
            Self.insist(Self.events(1...5), in: sink)
            _ = try peer.python("stream_admin", [peer.address, "AGENTOS", "delete"])
            Self.insist(Self.events(6...10), in: sink)
            #expect(try Self.positions(peer.received()) == [6, 7, 8, 9, 10])
            #expect(peer.told.withLock { $0.count } == 1, "the words are the same")
        }
        try inPeer(NATSPeer.servers[0], [("streamPolicy", "Check")]) { peer in
            let failure = Self.failure { _ = try peer.open().append(Self.events(1...2)) }
            #expect(failure?.words.contains("there is no stream AGENTOS") == true, "\(failure.debugDescription)")
        }
    }

    /// An event that is too large is refused; its object waits, the others go on.
    @Test func anEventThatIsTooLargeIsRefused() throws {
        try inPeer(configuration: "max_payload: 10000") { peer in
            var events = Self.events(1...8, objects: 2)
            events[2] = PeerConformance.event(3, object: 1, sequence: 2, note: String(repeating: "x", count: 20_000))
            let verdicts = try peer.open().append(events)
            #expect(verdicts.map(\.position) == [1, 2, 3, 4, 6, 8])
            guard case .refused(let words) = verdicts[2].outcome else {
                Issue.record("\(verdicts)")
                return
            }
            #expect(words.contains("max_payload"))
            #expect(try Self.positions(peer.received()).sorted() == [1, 2, 4, 6, 8])
        }
    }

    private static func users(_ permissions: String) -> String {
        """
        authorization { users: [
          {user: "agentos", password: "se cret:1", permissions: \(permissions)}, {user: "admin", password: "admin"}
        ] }
        """
    }

    @Test func permissionsThatGoAreToldAndComeBack() throws {
        let all = Self.users("{publish: [\"agentos.>\", \"$JS.API.>\"], subscribe: [\"_INBOX.>\"]}")
        let less = Self.users("{publish: [\"$JS.API.>\"], subscribe: [\"_INBOX.>\"]}")
        let world = World()
        defer { world.close() }
        let file = world.write("user", "agentos:se cret:1\n")
        chmod(file, 0o600)
        let peer = try NATSPeer(world, NATSPeer.servers[0], [("userFile", .text(file))], configuration: all)
        let sink = try peer.open()
        Self.insist(Self.events(1...2), in: sink)
        try peer.setAway(true)
        peer.start(less)
        var words = ""
        World.until("the permissions are missed") {
            words = Self.failure { _ = try sink.append(Self.events(3...4)) }?.words ?? ""
            return words.contains("Permissions Violation")
        }
        #expect(!words.contains("cret"), "\(words)")
        try peer.setAway(true)
        peer.start(all)
        Self.insist(Self.events(3...4), in: sink)
        let messages = try peer.messages(url: peer.address.replacing("nats://", with: "nats://admin:admin@"))
        #expect(messages.count == 4)
    }

    /// A wrong password, then a file that others may read, then the right one: without a new sink.
    @Test func theFileOfTheUserIsReadAgain() throws {
        let world = World()
        defer { world.close() }
        let file = world.write("user", "agentos:wrong\n")
        chmod(file, 0o600)
        let peer = try NATSPeer(
            world, NATSPeer.servers[0], [("userFile", .text(file))],
            configuration: Self.users("{publish: \">\", subscribe: \">\"}"))
        let sink = try peer.open()
        let refused = Self.failure { _ = try sink.append(Self.events(1...1)) }?.words ?? ""
        #expect(refused.contains("no server of") && !refused.contains("wrong"), "\(refused)")
        world.write("user", "agentos:se cret:1\n")
        chmod(file, 0o644)
        #expect(Self.failure { _ = try sink.append(Self.events(1...1)) }?.words.contains("mode 0600") == true)
        chmod(file, 0o600)
        Self.insist(Self.events(1...1), in: sink)
    }

    @Test func nkeysAreProven() throws {
        let world = World()
        defer { world.close() }
        let seed = world.write("seed", "SUAAITLCURBODPSPZUHVWAOD5BMHPQ2H7T3SPOVEWPYJO6V2X2ZANDXBUE\n")
        chmod(seed, 0o600)
        let peer = try NATSPeer(
            world, NATSPeer.servers[1],
            [("nkey", "UA2PWG3LEA2MZUVHNSU7S3ROB776Z3UJ7AQCMMTDJRFQE4U7I52DJUMT"), ("nkeySeedFile", .text(seed))],
            configuration:
                "authorization { users: [ {nkey: UA2PWG3LEA2MZUVHNSU7S3ROB776Z3UJ7AQCMMTDJRFQE4U7I52DJUMT} ] }")
        try Self.insist(Self.events(1...3), in: peer.open())
    }

    @Test func certificatesAreVerified() throws {
        let world = World()
        defer { world.close() }
        let (certificate, key) = try world.certificate(for: "IP:127.0.0.1")
        let (other, otherKey) = try world.certificate(for: "DNS:elsewhere.example")
        for (files, authority, isGood) in [
            ((certificate, key), certificate, true), ((certificate, key), other, false),
            ((other, otherKey), other, false),
        ] {
            let configuration = "tls { cert_file: \"\(files.0)\", key_file: \"\(files.1)\", timeout: 60 }"
            try inPeer(NATSPeer.servers[0], [("caFile", .text(authority))], configuration: configuration) { peer in
                if isGood { return try Self.insist(Self.events(1...1), in: peer.open()) }
                #expect(Self.failure { _ = try peer.open().append(Self.events(1...1)) } != nil)
            }
        }
    }

    /// The server wants to see a certificate that it trusts.
    @Test(arguments: NATSPeer.servers) func certificatesAreShown(_ server: String) throws {
        let world = World()
        defer { world.close() }
        let (certificate, key) = try world.certificate(for: "IP:127.0.0.1")
        let (mine, mineKey) = try world.certificate(for: "DNS:agentos.example")
        let (other, otherKey) = try world.certificate(for: "DNS:elsewhere.example")
        let tls = """
            tls { cert_file: "\(certificate)", key_file: "\(key)", ca_file: "\(mine)", verify: true, timeout: 60 }
            """
        let cases: [(shown: (String, String)?, isGood: Bool)] = [
            ((mine, mineKey), true), ((other, otherKey), false), (nil, false),
        ]
        for (shown, isGood) in cases {
            let files: [(String, Node?)] = shown.map { [("certFile", .text($0.0)), ("keyFile", .text($0.1))] } ?? []
            try inPeer(server, [("caFile", .text(certificate))] + files, configuration: tls) { peer in
                let sink = try peer.open()
                if isGood { return Self.insist(Self.events(1...3), in: sink) }
                #expect(Self.failure { _ = try sink.append(Self.events(1...1)) } != nil)
            }
        }
    }

    /// The second of two servers is used when the first is away.
    @Test func oneServerOfSeveralIsEnough() throws {
        try inPeer { peer in
            let settings = try NATSSettings.read(
                .map([("servers", .list(["nats://127.0.0.1:1", .text(peer.address)]))] + NATSPeer.patience),
                file: "test")
            let sink = NATSSink(settings)
            for position in Int64(1)...5 { Self.insist(Self.events(position...position), in: sink) }
            #expect(try Self.positions(peer.received()) == [1, 2, 3, 4, 5])
        }
    }

    /// The server is killed again and again while events are under way; now and then, who publishes is another.
    @Test(arguments: NATSPeer.servers) func killsLoseAndDoubleNothing(_ server: String) throws {
        try inPeer(server, [("timeout", "2s")]) { peer in
            let events = Self.events(1...6000, objects: 11)
            var left = events[...]
            var sink = try peer.open()
            for kill in 1...10 {
                if kill % 3 == 0 { sink = try peer.open() }
                let publishing = Publishing(sink, Array(left.prefix(550)))
                World.pass(ms: kill * 7 % 40)
                try peer.setAway(true)
                left = left.dropFirst(publishing.end())
                try peer.setAway(false)
            }
            Self.insist(Array(left), in: sink)
            let messages = try peer.messages()
            #expect(Set(messages.map { $0["id"]?.string }).count == messages.count, "there are doubles")
            var last: [String: Int] = [:]
            for message in messages {
                let event = message["content"]?.string.flatMap { JSONReader.read($0) }
                let (key, sequence) = (event?["partitionkey"]?.string ?? "", event?[path: "data", "sequence"]?.int ?? 0)
                #expect(sequence == (last[key] ?? 0) + 1)
                last[key] = sequence
            }
            #expect(messages.count == 6000)
        }
    }

    /// One call of a sink on a thread of its own.
    private final class Publishing: @unchecked Sendable {  // `confirmed` is read after the thread has ended
        private var thread = pthread_t()
        private let sink: any EventSink
        private let events: [EventRecord]
        private var confirmed = 0

        init(_ sink: any EventSink, _ events: [EventRecord]) {
            (self.sink, self.events) = (sink, events)
            pthread_create(
                &thread, nil,
                { raw in
                    let publishing = Unmanaged<Publishing>.fromOpaque(raw!).takeRetainedValue()
                    publishing.confirmed = (try? publishing.sink.append(publishing.events).count) ?? 0
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
        }

        /// How many were confirmed.
        func end() -> Int {
            pthread_join(thread, nil)
            return confirmed
        }
    }
}
