import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// A directory with a file of events, which can be taken away.
final class FilePeer: PeerConformance.Peer, @unchecked Sendable {  // the world is used by one test
    let world: World
    let settings: FileSettings
    let told = Mutex<[String]>([])

    /// - Parameter more: settings beside the path.
    init(_ world: World, _ more: [(String, Node?)] = []) throws {
        self.world = world
        mkdir("\(world.directory)/events", 0o700)
        settings = try FileSettings.read(
            .map([("path", .text("\(world.directory)/events/log.jsonl"))] + more), file: "test")
    }

    var directory: String { "\(world.directory)/events" }

    func open() throws -> any EventSink {
        FileSink(settings) { words in self.told.withLock { $0.append(words) } }
    }

    /// The files, oldest first.
    var files: [String] {
        let names = World.names(directory).filter { $0.hasPrefix("log.jsonl") }
        return (names.filter { $0 != "log.jsonl" } + names.filter { $0 == "log.jsonl" }).map { "\(directory)/\($0)" }
    }

    func lines(_ path: String) -> [Node] {
        World.read(path).split(separator: "\n").map { JSONReader.read(String($0)) ?? .text("no JSON: \($0)") }
    }

    func received() throws -> [Node] { files.flatMap { lines($0) }.map { $0["data"] ?? $0 } }

    func setAway(_ isAway: Bool) throws {
        let away = "\(world.directory)/away"
        try #require(rename(isAway ? directory : away, isAway ? away : directory) == 0)
    }
}
