import CLinux
import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// What becomes of the files of the file sink.
@Suite struct FileSinkTests {
    private static func events(_ positions: ClosedRange<Int64>, note: String = "", atMs: Int64? = nil) -> [EventRecord]
    {
        positions.map {
            var event = PeerConformance.event($0, note: note)
            event.atMs = atMs ?? event.atMs
            return event
        }
    }

    private static func failure(_ body: () throws -> Void) -> SinkFailure? {
        do { try body() } catch let failure as SinkFailure { return failure } catch { Issue.record(error) }
        return nil
    }

    private static func positions(_ nodes: [Node]) -> [Int] { nodes.map { $0["position"]?.int ?? -1 } }

    private func inPeer(_ more: [(String, Node?)] = [], _ body: (FilePeer) throws -> Void) throws {
        let world = World()
        defer { world.close() }
        try body(FilePeer(world, more))
    }

    @Test func everyLineIsACloudEvent() throws {
        try inPeer([("source", "/agentos/one"), ("mode", "0640")]) { peer in
            let event = PeerConformance.event(3, note: "words")
            _ = try peer.open().append([event])
            let line = try #require(peer.files.first.flatMap { peer.lines($0).first })
            let parent = try #require(event.traceparent)
            #expect(parent.wholeMatch(of: /00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01/) != nil)
            #expect(
                line
                    == .map([
                        ("specversion", "1.0"), ("id", .text("\(event.uid.text)-3")), ("source", "/agentos/one"),
                        ("type", "dev.agentos.run.started"), ("time", "2026-01-02T03:04:05.678Z"),
                        ("datacontenttype", "application/json"), ("partitionkey", .text(event.uid.text)),
                        ("sequence", "3"), ("traceparent", .text(parent)), ("data", JSONReader.read(event.payload)),
                    ]))
            var status = stat()
            #expect(stat(peer.files[0], &status) == 0 && status.st_mode & 0o777 == 0o640)
        }
    }

    /// As a crash leaves it: part of a line, blocks that were never written, both.
    @Test(arguments: [1, 10, 200]) func aTornEndIsCutOffAndTold(_ bytes: Int) throws {
        for zeros in [0, 5] {
            try inPeer { peer in
                _ = try peer.open().append(Self.events(1...3))
                let whole = World.bytes(peer.files[0])
                let torn = whole.prefix(bytes) + [UInt8](repeating: 0, count: zeros)
                let fd = Glibc.open(peer.files[0], O_WRONLY | O_APPEND)
                torn.withUnsafeBytes { #expect(write(fd, $0.baseAddress, $0.count) == $0.count) }
                close(fd)
                _ = try peer.open().append(Self.events(4...5))
                #expect(try Self.positions(peer.received()) == [1, 2, 3, 4, 5])
                #expect(peer.told.withLock { $0.contains { $0.contains("\(torn.count) bytes") } })
            }
        }
    }

    /// A batch whose confirmation was lost comes again, from a process that knows nothing of the one before.
    @Test func noEventStandsTwiceInOneFile() throws {
        try inPeer { peer in
            _ = try peer.open().append(Self.events(1...400))
            let sink = try peer.open()
            #expect(try sink.append(Self.events(1...402)) == Self.events(1...402).map { DeliveryVerdict($0) })
            _ = try sink.append(Self.events(300...403))
            #expect(try Self.positions(peer.received()) == Array(1...403))
        }
    }

    @Test func filesHaveASizeAndTheOldestGo() throws {
        try inPeer([("fileBytes", "64Ki"), ("files", 3)]) { peer in
            let note = String(repeating: "x", count: 20_000)
            for position in Int64(1)...20 {
                _ = try peer.open().append(Self.events(position...position, note: note))
                #expect(peer.files.count <= 3)
            }
            for path in peer.files { #expect(World.bytes(path).count <= 64 << 10) }
            let kept = try Self.positions(peer.received())
            #expect(kept.count > 5 && kept == Array(kept[0]...20))
        }
    }

    /// A backlog of events that are older than a file may be does not make a file of each batch.
    @Test func oldEventsFillFilesAsNewOnesDo() throws {
        try inPeer([("fileAge", "1h"), ("files", 3)]) { peer in
            for position in Int64(1)...20 { _ = try peer.open().append(Self.events(position...position)) }
            #expect(peer.files.count == 2)
            #expect(try Self.positions(peer.received()) == Array(1...20))
        }
    }

    @Test func filesHaveAnAge() throws {
        try inPeer([("fileAge", "1h")]) { peer in
            let now = agentos_wall_ms()
            _ = try peer.open().append(Self.events(1...1, atMs: now - 1_800_000))
            _ = try peer.open().append(Self.events(2...2, atMs: now))
            #expect(peer.files.count == 1)
            let path = try #require(peer.files.first)
            let began = Timestamp.milliseconds(now - 1_800_000)
            let old = World.read(path).replacing(began, with: "2020-01-01T00:00:00.000Z")
            peer.world.write(path, old)
            _ = try peer.open().append(Self.events(3...3, atMs: now))
            #expect(peer.files.count == 2)
            #expect(try Self.positions(peer.received()) == [1, 2, 3])
        }
    }

    @Test func whatIsNoFileOfEventsIsLeftAlone() throws {
        for text in ["password", "{}\nno event", "{\"specversion\":\"1.0\",\"id\":\"1\"}\nx"] {
            try inPeer { peer in
                peer.world.write("events/log.jsonl", text)
                let failure = Self.failure { _ = try peer.open().append(Self.events(1...1)) }
                #expect(failure?.words.contains("move it away") == true, "\(failure.debugDescription)")
                #expect(World.read(peer.files[0]) == text)
            }
        }
        try inPeer { peer in
            symlink("/etc/hostname", "\(peer.directory)/log.jsonl")
            #expect(Self.failure { _ = try peer.open().append(Self.events(1...1)) } != nil)
        }
    }

    @Test func aFileHasOneWriter() throws {
        try inPeer { peer in
            let first = try peer.open()
            _ = try first.append(Self.events(1...1))
            let failure = Self.failure { _ = try peer.open().append(Self.events(1...1)) }
            #expect(failure?.words.contains("another process") == true, "\(failure.debugDescription)")
            _ = try first.append(Self.events(2...2))
            #expect(try Self.positions(peer.received()) == [1, 2])
        }
    }

    /// As `logrotate` does it, in either of its ways.
    @Test(arguments: [true, false]) func aFileThatIsMovedOrCutIsBegunAnew(_ isMoved: Bool) throws {
        try inPeer { peer in
            let sink = try peer.open()
            _ = try sink.append(Self.events(1...2))
            let path = peer.files[0]
            if isMoved { rename(path, "\(peer.directory)/moved") } else { truncate(path, 0) }
            _ = try sink.append(Self.events(3...4))
            #expect(try Self.positions(peer.received()) == [3, 4])
        }
    }

    @Test func aFullDiskLosesNothing() throws {
        try #require(World.isRoot, "a small disk is made by root")
        try inPeer { peer in
            #expect(mount("tmpfs", peer.directory, "tmpfs", 0, "size=1m") == 0)
            let sink = try peer.open()
            _ = try sink.append(Self.events(1...2))
            peer.world.write("events/full", String(repeating: "x", count: 900 << 10))
            let note = String(repeating: "y", count: 100_000)
            let failure = Self.failure { _ = try sink.append(Self.events(3...5, note: note)) }
            guard case .lost(let words) = failure else {
                Issue.record("\(failure.debugDescription)")
                return
            }
            #expect(words.contains("No space left"))
            #expect(try Self.positions(peer.received()) == [1, 2])
            unlink("\(peer.directory)/full")
            _ = try sink.append(Self.events(3...5, note: note))
            #expect(try Self.positions(peer.received()) == [1, 2, 3, 4, 5])
        }
    }
}
