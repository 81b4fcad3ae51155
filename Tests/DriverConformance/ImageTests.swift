import Glibc
import Manifests
import Support
import Testing
import Values

/// Where root file systems come from.
@Suite(.serialized) struct ImageTests {
    @Test func aMissingImageIsACondition() throws {
        try inIsolation(.containerd) { world, containerd in
            let containerd = try #require(containerd)
            let agent = World.agent(
                "one", World.stays, "driver: containerd\nimage: localhost/busybox:latest\nbackoff: {maxSeconds: 1}")
            world.apply(agent)
            // It is tried again and again, and nothing of this is said while a try is under way.
            World.until("it says so") {
                world.isMissing("one", saying: ["localhost/busybox:latest", "images import", "cannot pull"])
            }
            World.until("it is explained") {
                let why = world.run("why", "one").output
                return [
                    "its image is not on this machine", "localhost/busybox:latest", "bring the image to this",
                ].allSatisfy { why.contains($0) }
            }
            // What the message says helps, without another apply.
            #expect(containerd.ctr("images", "import", Containerd.image) != nil)
            World.until("it runs") { world.phase("one") == "Ready" }
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

    /// A registry that serves the image of an archive, by the OCI distribution specification, as far as pulling needs it.
    private static let registry = """
        import hashlib, http.server, json, sys, tarfile
        archive = tarfile.open(sys.argv[1])
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
        root = json.loads(files["index.json"])["manifests"][0]
        class Registry(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                parts = self.path.strip("/").split("/")
                body, kind = None, "application/octet-stream"
                if self.path == "/v2/": body = b"{}"
                elif parts[1:2] == ["tools"] and parts[-2] == "manifests" and parts[-1] in ("1.0", root["digest"]):
                    body, kind = files["blobs/" + root["digest"].replace(":", "/")], root["mediaType"]
                elif parts[1:2] == ["tools"] and parts[-2] == "blobs":
                    body = files.get("blobs/" + parts[-1].replace(":", "/"))
                self.send_response(200 if body is not None else 404)
                body = body or b"{}"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if kind != "application/octet-stream": self.send_header("Docker-Content-Digest", root["digest"])
                self.end_headers()
                if self.command == "GET": self.wfile.write(body)
            do_HEAD = do_GET
            def log_message(self, *words): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    @Test func imagesArePulledWhereContainerdCan() throws {
        let program = try #require(Containerd.second, "containerd 2 is missing; scripts/test gets it")
        try inIsolation(.containerd, containerd: program) { world, containerd in
            let containerd = try #require(containerd)
            let script = world.write("registry.py", Self.registry)
            let output = "\(world.directory)/registry.out"
            let server = World.start(
                ["/usr/bin/python3", script, Containerd.image], ["PATH=/usr/bin:/bin"], nil, output,
                "\(world.directory)/registry.log")
            defer {
                World.kill(server, SIGKILL)
                waitpid(server, nil, 0)
            }
            World.until("the registry listens") { World.read(output).hasSuffix("\n") }
            let port = World.read(output).filter(\.isNumber)
            func agent(_ name: String, _ image: String) -> String {
                World.agent(name, World.stays, "driver: containerd\nimage: \(image)\nbackoff: {maxSeconds: 1}")
            }
            world.ready(agent("one", "127.0.0.1:\(port)/tools:1.0"))
            let digest = world.runOf("one")?["imageDigest"]?.string ?? ""
            #expect(digest.hasPrefix("sha256:"))
            world.ready(agent("two", "127.0.0.1:\(port)/tools@\(digest)"))
            #expect(world.runOf("two")?["imageDigest"]?.string == digest)
            world.apply(agent("three", "127.0.0.1:\(port)/other:1.0"))
            World.until("what the registry lacks is missing") {
                world.isMissing("three", saying: ["127.0.0.1:\(port)/other:1.0"])
            }
            #expect(world.run("delete", "agent", "--all").code == 0)
            #expect(containerd.tasks.isEmpty && containerd.containers.isEmpty && containerd.snapshots.isEmpty)
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
            World.until("no lease is left") { containerd?.leases.isEmpty == true }
        }
    }

    /// A small archive can hold a very large image: the last of a disk is left free, and what was unpacked of it is gone.
    @Test func anImageThatWouldFillTheDiskIsRefused() throws {
        try inIsolation(.containerd) { world, containerd in
            let containerd = try #require(containerd)
            containerd.kill()
            let root = "\(containerd.directory)/root"
            #expect(mount("tmpfs", root, "tmpfs", 0, "size=400m") == 0)
            try containerd.start()
            let layer: Node = [.map([("name", "zeros"), ("zeros", .number(200 << 20))])]
            let image = try world.image("large", .map([("layers", [layer])]))
            world.apply(
                World.agent("large", World.stays, "driver: containerd\nimageArchive: \(image)\nrestartPolicy: Never"))
            World.until("it is refused", 180_000) { world.phase("large") == "Failed" }
            let exit = world.lastExit("large")
            #expect(exit?["reason"]?.string == "StartError")
            #expect(
                exit?["message"]?.string?.contains("would leave less than 256 MiB free at \(root)") == true,
                "\(String(describing: exit))")
            World.until("nothing of it is left") { containerd.snapshots.isEmpty && containerd.leases.isEmpty }
            // There is room for what is smaller.
            world.ready(world.agent("right", .containerd, World.stays))
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
            World.until("it ran") { world.phase("one") == "Failed" }
            #expect(world.lastExit("one")?["code"]?.int == 4, "\(world.run("describe", "agent", "one").text)")
        }
    }
}

extension World {
    /// The agent is not ready for want of its image, in these words among others.
    fileprivate func isMissing(_ name: String, saying words: [String]) -> Bool {
        let ready = condition(name, "Ready")
        let message = ready?["message"]?.string ?? ""
        return ready?["reason"]?.string == "ImageNotFound" && words.allSatisfy { message.contains($0) }
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
