import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Testing
import Values

/// A receiver of webhooks, a program of its own.
final class WebhookPeer: PeerConformance.Peer, @unchecked Sendable {  // the world is used by one test
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    let world: World
    private let tls: [String]
    private let more: [(String, Node?)]
    private var pid: pid_t = -1
    private(set) var port = String(World.freePort())

    /// - Parameters:
    ///   - more: settings beside the address and the secret.
    ///   - tls: files of a certificate and its key.
    init(_ world: World, _ more: [(String, Node?)] = [], tls: [String] = []) throws {
        self.world = world
        self.more = more
        self.tls = tls
        mkdir(directory, 0o700)
        write("secret", Self.secret + "\n")
        try setAway(false)
    }

    var directory: String { "\(world.directory)/webhook" }

    func write(_ name: String, _ text: String) {
        world.write("webhook/\(name)", text)
        chmod("\(directory)/\(name)", 0o600)
    }

    var settings: [(String, Node?)] {
        [
            ("url", .text("\(tls.isEmpty ? "http" : "https")://127.0.0.1:\(port)/events")),
            ("secretFile", .text("\(directory)/secret")),
            // The longest that it may be: what fails says so, and is not waited for.
            ("timeout", more.contains { $0.0 == "timeout" } ? nil : "60s"),
        ] + more
    }

    func open() throws -> any EventSink { WebhookSink(try WebhookSettings.read(.map(settings), file: "test")) }

    func received() throws -> [Node] { lines("received").map { $0["data"] ?? $0 } }

    /// What was asked: id, whether the signature was good, status.
    var requests: [Node] { lines("requests") }

    private func lines(_ name: String) -> [Node] {
        World.read("\(directory)/\(name)").split(separator: "\n").map {
            JSONReader.read(String($0)) ?? .text("no JSON: \($0)")
        }
    }

    /// What is answered to the next requests.
    func answer(_ answers: [Node]) { write("answers", JSONWriter.text(.list(answers))) }

    func setAway(_ isAway: Bool) throws {
        if isAway {
            World.kill(pid, SIGKILL)
            _ = World.wait(pid)
        } else {
            unlink("\(directory)/port")
            pid = World.start(
                ["/usr/bin/python3", "\(World.root)/Tests/MessagingTests/webhook.py", port, directory, Self.secret]
                    + tls,
                world.environment, nil, "\(directory)/out", "\(directory)/err")
            try #require(
                World.until("the receiver listens") { World.exists("\(directory)/port") },
                "\(World.read("\(directory)/err"))")
            port = World.read("\(directory)/port")
        }
    }
}
