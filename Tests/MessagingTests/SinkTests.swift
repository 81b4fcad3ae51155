import Conformance
import Messaging
import Reconciler
import Support
import Testing
import Values

/// The suite of named sinks, with what really stands behind each of them.
@Suite(.serialized) struct SinkTests {
    @Test(arguments: PeerConformance.Check.allCases, ["64Mi", "64Ki"])
    func theFileSinkPassesTheSuite(_ check: PeerConformance.Check, fileBytes: String) throws {
        let world = World()
        defer { world.close() }
        let peer = try FilePeer(world, [("fileBytes", .text(fileBytes)), ("files", 1000)])
        try PeerConformance(peer).run(check)
    }

    @Test(arguments: PeerConformance.Check.allCases, WebhookSettings.Format.allCases)
    func theWebhookSinkPassesTheSuite(_ check: PeerConformance.Check, format: WebhookSettings.Format) throws {
        let world = World()
        defer { world.close() }
        let peer = try WebhookPeer(world, [("format", .text(format.rawValue))])
        try PeerConformance(peer).run(check)
        for request in peer.requests { #expect(request["signed"]?.bool == true) }
    }

    @Test(arguments: PeerConformance.Check.allCases, NATSPeer.servers)
    func theNATSSinkPassesTheSuite(_ check: PeerConformance.Check, server: String) throws {
        let world = World()
        defer { world.close() }
        try PeerConformance(NATSPeer(world, server)).run(check)
    }

    /// The example of `Documentation/events.md`.
    @Test(arguments: PeerConformance.Check.allCases)
    func aSinkOfOnesOwnPassesTheSuite(_ check: PeerConformance.Check) throws {
        let world = World()
        defer { world.close() }
        try PeerConformance(LinePeer(world)).run(check)
    }
}
