import Glibc
import Support
import Testing
import Values

@testable import HTTP

/// Files of the operator's that a daemon reads while it runs.
@Suite(.serialized) struct RenewalTests {
    private func identity(_ world: World, _ name: String) throws -> Credential {
        let authority = try #require(Authority.make(name, seconds: 86_400))
        return try #require(authority.issue(.server(names: ["IP:127.0.0.1", "DNS:localhost"]), seconds: 3600))
    }

    /// Clients are told to trust what the daemon shows now.
    @Test func aNewCertificateIsInTheNextKubeconfig() throws {
        try inWorld { world in
            let (first, second) = (try identity(world, "one"), try identity(world, "two"))
            let certificate = world.write("tls.crt", first.certificate)
            let key = world.write("tls.key", first.key)
            let start = world.run(
                "daemon", "start", "--listen", "127.0.0.1:0", "--tls-cert-file", certificate, "--tls-private-key-file",
                key)
            #expect(start.code == 0, "\(start.text) \(world.log)")
            func trusts(_ credential: Credential) -> Bool {
                world.run("kubeconfig").output.contains(Base64.encode(Array(credential.certificate.utf8)))
            }
            #expect(trusts(first))
            world.write(key, second.key)
            world.write(certificate, second.certificate)
            World.until("the new one is trusted: \(world.log)") { trusts(second) }
            World.until("it is told") { world.log.contains("the certificate was renewed") }
        }
    }

    /// A FIFO in the place of a file waits for a writer: the daemon does not.
    @Test(arguments: ["--token-auth-file", "--tls-cert-file", "--client-ca-file"])
    func whatIsNoFileIsRefusedAtOnce(option: String) {
        inWorld { world in
            let pipe = "\(world.directory)/pipe"
            mkfifo(pipe, 0o600)
            let more = option == "--tls-cert-file" ? ["--tls-private-key-file", pipe] : []
            let start = world.run(["daemon", "start", "--listen", "127.0.0.1:0", option, pipe] + more)
            #expect(
                start.code != 0 && start.text.contains("\(pipe): cannot be read: it is no regular file"),
                "\(start.text)")
        }
    }

    @Test func aTokenFileThatBecomesAFifoNamesNobodyAndHoldsNothingUp() throws {
        try inWorld { world in
            let file = world.write("tokens.csv", "jane-has-a-long-token,jane,7,\"system:masters\"\n")
            chmod(file, 0o600)
            let client = try TLSClient(world, "--token-auth-file", file)
            let good = "Authorization: Bearer jane-has-a-long-token"
            #expect(client.ask(["GET /version"], header: good) == ["200"])
            unlink(file)
            mkfifo(file, 0o600)
            World.until("it names nobody") { client.ask(["GET /version"], header: good) == ["401"] }
            #expect(client.ask(["GET /livez"]) == ["200"])
            World.until("it is told why") { world.log.contains("it is no regular file") }
        }
    }

    /// What clients were given by these keys outlives a power loss, so the keys do.
    @Test func keysAreOnTheDiskBeforeTheyAreUsed() {
        inWorld { world in
            let calls = "\(world.directory)/calls"
            let daemon = World.start(
                [
                    "strace", "-D", "-f", "-qq", "-y", "-o", calls, "-e", "trace=fsync,/^rename", World.program,
                    "daemon",
                    "--listen", "127.0.0.1:0",
                ], world.environment, nil, "/dev/null", "\(calls).error")
            defer {
                World.kill(daemon, SIGKILL)
                waitpid(daemon, nil, 0)
            }
            World.until("it serves: \(World.read("\(calls).error"))") {
                World.read("\(calls).error").contains("daemon serves")
            }
            let lines = World.read(calls).split(separator: "\n")
            for name in ["tokens.key", "authority.key", "authority.crt"] {
                let path = "\(world.state)/pki/\(name)"
                let renamed = lines.firstIndex { $0.contains("rename") && $0.contains("\"\(path).new\"") } ?? -1
                #expect(renamed > 0, "\(name)")
                guard renamed > 0 else { continue }
                #expect(lines[..<renamed].contains { $0.contains("fsync") && $0.contains("\(path).new>") }, "\(name)")
                #expect(
                    lines[renamed...].contains { $0.contains("fsync") && $0.contains("\(world.state)/pki>") }, "\(name)"
                )
            }
        }
    }
}
