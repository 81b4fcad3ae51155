import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// The journal: the suite of sinks, and what becomes of its files.
@Suite struct JournalTests {
    @Test(arguments: SinkConformance.Check.allCases)
    func theJournalPassesTheSuiteOfSinks(_ check: SinkConformance.Check) async throws {
        let world = World()
        defer { world.close() }
        try await SinkConformance { try Journal.open("\(world.directory)/journal") }.run(check)
    }

    /// Segments so small that every check crosses several.
    @Test(arguments: SinkConformance.Check.allCases)
    func aJournalOfManySegmentsPassesTheSuiteOfSinks(_ check: SinkConformance.Check) async throws {
        let world = World()
        defer { world.close() }
        try await SinkConformance { try Journal.open("\(world.directory)/journal", segmentBytes: 200) }.run(check)
    }

    // MARK: Files

    /// A journal of ten events in segments of about three, and what it has told.
    private final class Shelf {
        let world = World()
        let told = Told()
        var directory: String { "\(world.directory)/journal" }

        final class Told: Sendable {
            let words = Mutex<[String]>([])
            var all: [String] { words.withLock { $0 } }
        }

        init(events: Int64 = 10) throws {
            let journal = try open()
            for position in 1...events { _ = try journal.append([SinkConformance.event(position, "some words")]) }
        }

        deinit { world.close() }

        func open() throws -> Journal {
            try Journal.open(directory, segmentBytes: 150) { [told] words in told.words.withLock { $0.append(words) } }
        }

        func files(_ suffix: String) -> [String] {
            World.names(directory).filter { $0.hasSuffix(suffix) }.map { "\(directory)/\($0)" }
        }

        func change(_ path: String, _ body: (Int32) -> Void) {
            let fd = Glibc.open(path, O_RDWR)
            body(fd)
            close(fd)
        }

        func size(_ path: String) -> Int {
            var status = stat()
            return stat(path, &status) == 0 ? Int(status.st_size) : -1
        }
    }

    private static let all = Array(Int64(1)...10)

    private func positions(_ journal: Journal) -> [Int64] { SinkConformance.all(journal).map(\.position) }

    @Test func anIndexThatIsMissingIsMade() throws {
        let shelf = try Shelf()
        for path in shelf.files("index") { unlink(path) }
        let journal = try shelf.open()
        #expect(positions(journal) == Self.all && journal.lastPosition == 10 && shelf.told.all.isEmpty)
        #expect(positions(try shelf.open()) == Self.all)
        #expect(shelf.files("index").count == shelf.files("jsonl").count)
    }

    /// Cut in an entry, between entries, or to nothing; with garbage behind; filled with zeros or ones.
    @Test(arguments: [-5, -32, -1000, 7, 32, 320])
    func anIndexOfAnotherLengthIsMadeToFit(_ change: Int) throws {
        let shelf = try Shelf()
        for path in shelf.files("index") {
            let size = shelf.size(path)
            if change < 0 {
                truncate(path, off_t(max(0, size + change)))
            } else {
                shelf.change(path) { fd in
                    let bytes = [UInt8](repeating: 0xff, count: change)
                    #expect(pwrite(fd, bytes, change, off_t(size)) == change)
                }
            }
        }
        let journal = try shelf.open()
        #expect(positions(journal) == Self.all && journal.lastPosition == 10)
        _ = try journal.append([SinkConformance.event(11)])
        #expect(positions(try shelf.open()) == Self.all + [11])
    }

    @Test(arguments: [1, 10, 40]) func aTornLastLineIsCutOff(_ bytes: Int) throws {
        let shelf = try Shelf()
        let last = try #require(shelf.files("jsonl").last)
        let torn = Array(SinkConformance.event(11).payload.utf8.prefix(bytes))
        let size = shelf.size(last)
        shelf.change(last) { fd in #expect(pwrite(fd, torn, torn.count, off_t(size)) == torn.count) }
        let journal = try shelf.open()
        _ = try journal.append([SinkConformance.event(11)])
        for reader in [journal, try shelf.open()] { #expect(positions(reader) == Self.all + [11]) }
    }

    /// The event is left out and told; those around it are read.
    @Test func aFlippedBitHurtsOneEvent() throws {
        for position in 1...10 {
            let shelf = try Shelf()
            let word = Array("\"position\":\(position),".utf8)
            for path in shelf.files("jsonl") {
                let bytes = World.bytes(path)
                guard let at = bytes.firstRange(of: word)?.lowerBound else { continue }
                shelf.change(path) { fd in _ = pwrite(fd, [bytes[at + 1] ^ 0x20], 1, off_t(at + 1)) }
            }
            let journal = try shelf.open()
            #expect(positions(journal) == Self.all.filter { $0 != position })
            #expect(shelf.told.all.count == 1, "\(shelf.told.all)")
            #expect(shelf.told.all.first?.contains("position \(position)") == true, "\(shelf.told.all)")
            #expect(journal.lastPosition == 10)
            #expect(journal.offset(afterPosition: 10) == journal.end)
        }
    }

    /// The index knows where each event ends: a line end that was overwritten loses none, also in the last segment.
    @Test func aLostLineEndLosesNothing() throws {
        for number in 0..<3 {
            let shelf = try Shelf()
            let path = shelf.files("jsonl").suffix(3)[shelf.files("jsonl").count - 3 + number]
            let at = try #require(World.bytes(path).firstIndex(of: 0x0a))
            #expect(at < shelf.size(path) - 1, "it is not the end of the file")
            shelf.change(path) { fd in _ = pwrite(fd, [UInt8](" ".utf8), 1, off_t(at)) }
            let journal = try shelf.open()
            #expect(positions(journal) == Self.all && shelf.told.all.isEmpty, "\(shelf.told.all)")
            for line in SinkConformance.all(journal) { #expect(JSONReader.read(line.text) != nil) }
        }
    }

    @Test func aSegmentThatIsGoneIsToldAndLeftOut() throws {
        let shelf = try Shelf()
        let segments = shelf.files("jsonl")
        #expect(segments.count >= 3)
        unlink(segments[1])
        let journal = try shelf.open()
        let left = positions(journal)
        #expect(left.first == 1 && left.last == 10 && left.count < 10)
        #expect(shelf.told.all.contains { $0.contains("missing") }, "\(shelf.told.all)")
        _ = try journal.append([SinkConformance.event(11)])
        #expect(positions(try shelf.open()) == left + [11])
    }

    /// Somebody removes or cuts the file that is written to: what follows is kept, at offsets that nobody has seen before.
    @Test(arguments: [true, false]) func theSegmentThatIsWrittenToMayBeTakenAway(_ isRemoved: Bool) throws {
        let shelf = try Shelf()
        let journal = try shelf.open()
        let end = journal.end
        let path = try #require(shelf.files("jsonl").last)
        if isRemoved { unlink(path) } else { truncate(path, 0) }
        _ = try journal.append([SinkConformance.event(11)])
        #expect(SinkConformance.all(journal, from: end).map(\.position) == [11] && journal.end > end)
        #expect(shelf.told.all.contains { $0.contains("removed or cut") }, "\(shelf.told.all)")
        #expect(try SinkConformance.all(shelf.open(), from: end).map(\.position) == [11])
    }

    /// The journal as a whole is gone: it goes on where its readers are.
    @Test func aJournalThatIsGoneGoesOnWhereItsReadersAre() throws {
        let shelf = try Shelf()
        let end = try shelf.open().end
        for name in World.names(shelf.directory) { unlink("\(shelf.directory)/\(name)") }
        let journal = try shelf.open()
        try journal.goOn(at: end)
        _ = try journal.append([SinkConformance.event(11)])
        #expect(SinkConformance.all(journal, from: end).map(\.position) == [11] && positions(journal) == [11])
        #expect(shelf.told.all.contains { $0.contains("last events were removed") }, "\(shelf.told.all)")
    }

    @Test func segmentsRollAndOldOnesGoAtTheHardCapOnly() throws {
        let world = World()
        defer { world.close() }
        let journal = try Journal.open(
            "\(world.directory)/journal", segmentBytes: 1000, bytesKept: 3000, bytesMax: 8000)
        let note = String(repeating: "x", count: 200)
        for position in 1...20 { _ = try journal.append([SinkConformance.event(Int64(position), note)]) }
        // A consumer stands at the start: nothing may go below the hard cap.
        #expect(journal.retain(from: 0, nowMs: 0) == 0 && journal.read(from: 0).first?.position == 1)
        // Nobody stands there any more.
        let start = journal.retain(from: .max, nowMs: 0)
        #expect(start > 0 && journal.end - start <= 4000)
        for position in 21...60 { _ = try journal.append([SinkConformance.event(Int64(position), note)]) }
        #expect(journal.end - journal.retain(from: 0, nowMs: 0) <= 8000)
        // Reading from before the first segment starts with the first that is there.
        #expect((journal.read(from: 0).first?.position ?? 0) > 20)
        #expect(SinkConformance.all(journal, from: journal.offset(afterPosition: 50)).contains { $0.position == 51 })
    }

    /// What is old goes, except the segment that is written to.
    @Test func oldSegmentsGoByTheirAge() throws {
        let shelf = try Shelf()
        let journal = try shelf.open()
        var now = timeval()
        gettimeofday(&now, nil)
        let nowMs = Int64(now.tv_sec) * 1000
        #expect(journal.retain(from: .max, nowMs: nowMs) == 0 && positions(journal) == Self.all)
        let first = journal.retain(from: .max, nowMs: nowMs + Limits.retentionMs + 60_000)
        #expect(first > 0 && shelf.files("jsonl").count == 1 && shelf.files("index").count == 1)
        #expect(positions(journal).last == 10)
    }
}
