import Glibc
import Machine
import Planner
import Testing

@testable import GitOps

/// Watches of directories that several looks are given at the same time.
@Suite struct WatchesTests {
    private static let one = UID(high: 0, low: 1)
    private static let two = UID(high: 0, low: 2)

    /// Directories, their watches, and who was told of.
    private final class House {
        let directory: String
        let events = EventLoop()
        var told: Set<UID> = []
        lazy var watches = DirectoryWatches(events) { [unowned self] in told.formUnion($0) }

        init() {
            var template = Array("/tmp/agentos-watches-XXXXXX".utf8CString)
            directory = String(cString: mkdtemp(&template))
        }

        deinit { Files.removeTree(directory) }

        func make(_ name: String) -> String {
            mkdir("\(directory)/\(name)", 0o700)
            return "\(directory)/\(name)"
        }

        /// One whole look of a Source at directories.
        func look(_ uid: UID, _ directories: [String]) -> Bool {
            let adder = watches.beginLook()
            defer { watches.endLook(adder) }
            return watches.set(uid, adder.add(directories, names: []))
        }

        /// What the kernel has to tell by now is told.
        func turn() {
            events.after(ms: 0) { [events] in events.stop() }
            events.run()
        }

        /// How many of the directories the kernel watches.
        func count(_ directories: [String]) -> Int {
            let inodes = directories.map { path in
                var status = stat()
                stat(path, &status)
                return "ino:\(String(status.st_ino, radix: 16)) "
            }
            return Files.names(in: "/proc/self/fdinfo").compactMap {
                Files.text("/proc/self/fdinfo/\($0)", limit: 1 << 20)
            }
            .flatMap { $0.split(separator: "\n") }
            .count { line in line.hasPrefix("inotify") && inodes.contains { line.contains($0) } }
        }
    }

    @Test func whatIsToldBetweenAWatchAndTheEndOfItsLookIsNew() {
        let house = House()
        let place = house.make("a")
        let adder = house.watches.beginLook()
        let found = adder.add([place], names: [])
        mkdir("\(place)/new", 0o700)
        house.turn()
        #expect(house.watches.set(Self.one, found), "it is read again")
        house.watches.endLook(adder)
        #expect(!house.look(Self.one, [place]))
    }

    /// A look of another Source that ends meanwhile takes nothing of that away.
    @Test func theEndOfAnotherLookForgetsNothing() {
        let house = House()
        let (first, second) = (house.make("a"), house.make("b"))
        let adder = house.watches.beginLook()
        let found = adder.add([first], names: [])
        mkdir("\(first)/new", 0o700)
        house.turn()
        #expect(!house.look(Self.two, [second]))
        #expect(house.watches.set(Self.one, found))
        house.watches.endLook(adder)
    }

    /// The kernel has no watches that no Source has: whatever was renamed, removed or forgotten while others were looked at.
    @Test func watchesDoNotBecomeMore() {
        let house = House()
        let places = (0..<200).map { house.make("\($0)") }
        #expect(house.look(Self.one, [places[0]]) == false)
        // Looks overlap without an end, as with many Sources.
        var open = house.watches.beginLook()
        for place in places {
            #expect(house.look(Self.one, [place]) == false)
            let next = house.watches.beginLook()
            house.watches.endLook(open)
            open = next
        }
        // A look whose Source has gone meanwhile.
        house.watches.drop(open.add(places, names: []))
        house.watches.endLook(open)
        #expect(house.count(places) == 1)
        mkdir("\(places[199])/new", 0o700)
        house.turn()
        #expect(house.told == [Self.one], "the one that a Source has is not among those that went")
        house.watches.remove(Self.one)
        #expect(house.count(places) == 0)
    }
}
