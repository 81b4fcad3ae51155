import Glibc
import Manifests
import Testing

/// Where root file systems come from.
@Suite(.serialized) struct ImageTests {
    @Test func aMissingImageIsACondition() throws {
        try inIsolation(.containerd) { world, containerd in
            let containerd = try #require(containerd)
            let agent = World.agent(
                "one", World.stays, "driver: containerd\nimage: localhost/busybox:latest\nbackoff: {maxSeconds: 1}")
            world.apply(agent)
            World.until("it says so") { world.reason("one") == "ImageNotFound" }
            let message = world.condition("one", "Ready")?["message"]?.string ?? ""
            #expect(message.contains("localhost/busybox:latest") && message.contains("images import"), "\(message)")
            // What the message says helps, without another apply.
            #expect(containerd.ctr("images", "import", Containerd.image) != nil)
            World.until("it runs", 30_000) { world.phase("one") == "Ready" }
            let digest = world.runOf("one")?["imageDigest"]?.string ?? ""
            #expect(digest.hasPrefix("sha256:"))
            world.ready(World.agent("two", World.stays, "driver: containerd\nimage: localhost/busybox@\(digest)"))
            #expect(world.runOf("two")?["imageDigest"]?.string == digest)
            let wrong = "localhost/busybox@sha256:\(String(repeating: "0", count: 64))"
            world.apply(World.agent("three", World.stays, "driver: containerd\nimage: \(wrong)\nrestartPolicy: Never"))
            World.until("another digest is another image") {
                world.lastExit("three")?["reason"]?.string == "ImageNotFound"
            }
            // Images are the user's: nothing is removed with the agents.
            #expect(world.run("delete", "agent", "--all").code == 0)
            #expect(containerd.images.contains("localhost/busybox:latest"))
        }
    }

    @Test func brokenArchivesAreRefusedWithTheReason() throws {
        try inIsolation(.containerd) { world, containerd in
            let whole = World.bytes(Containerd.image)
            let short = world.write("short.tar", "")
            Bytes.write(short, whole.prefix(whole.count / 2))
            let empty = world.write("empty.tar", "")
            let text = world.write("text.tar", String(repeating: "no archive ", count: 1000))
            var changed = whole
            // Somewhere in the layer.
            changed[whole.count / 2] ^= 0xff
            let bent = world.write("bent.tar", "")
            Bytes.write(bent, changed[...])
            for (name, path) in [
                ("short", short), ("empty", empty), ("text", text), ("bent", bent),
                ("none", "\(world.directory)/none.tar"),
            ] {
                world.apply(
                    World.agent(name, World.stays, "driver: containerd\nimageArchive: \(path)\nrestartPolicy: Never"))
                World.until("\(name) is refused") { world.phase(name) == "Failed" }
                let message = world.lastExit(name)?["message"]?.string ?? ""
                #expect(!message.isEmpty, "\(name)")
                if name != "bent" { #expect(message.contains(path), "\(message)") }
            }
            // Nothing of them holds up what is right.
            world.ready(world.agent("right", .containerd, World.stays))
            #expect(containerd?.snapshots.count == 1)
            #expect(containerd?.leases.isEmpty == true)
        }
    }

    @Test(arguments: Isolation.containers) func imagesSayWhatTheyRun(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let manifest = """
                apiVersion: agentos.dev/v1
                kind: Agent
                metadata: {name: one}
                spec:
                  driver: \(isolation.driver)
                  imageArchive: \(Containerd.image)
                  args: [sh, -c, "echo instead of what the image names; exit 4"]
                  restartPolicy: Never

                """
            world.apply(manifest)
            World.until("it ran", 30_000) { world.phase("one") == "Failed" }
            #expect(world.lastExit("one")?["code"]?.int == 4, "\(world.run("describe", "agent", "one").text)")
        }
    }
}

/// Bytes that are no text.
enum Bytes {
    static func write(_ path: String, _ bytes: ArraySlice<UInt8>) {
        let fd = open(path, O_WRONLY | O_TRUNC)
        _ = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
        close(fd)
    }
}
