import Conformance
import Glibc
import Reconciler
import Support
import Testing
import Values

/// A program that stores lines, on the other side of a unix socket.
final class LinePeer: PeerConformance.Peer, @unchecked Sendable {  // the world is used by one test
    private let world: World
    private var pid: pid_t = -1

    init(_ world: World) throws {
        self.world = world
        try setAway(false)
    }

    func open() throws -> any EventSink { LineSink("\(world.directory)/socket") }

    /// A line that a kill has cut is followed by the whole one.
    func received() throws -> [Node] {
        World.read("\(world.directory)/lines").split(separator: "\n").compactMap { JSONReader.read(String($0)) }
    }

    func setAway(_ isAway: Bool) throws {
        if isAway {
            World.kill(pid, SIGKILL)
            _ = World.wait(pid)
        } else {
            unlink("\(world.directory)/socket")
            pid = World.start(
                [
                    "/usr/bin/python3", "\(World.root)/Tests/MessagingTests/lines.py", "\(world.directory)/socket",
                    "\(world.directory)/lines",
                ], world.environment, nil, "\(world.directory)/out", "\(world.directory)/err")
            World.until("the program listens") { !World.read("\(world.directory)/out").isEmpty }
        }
    }
}
