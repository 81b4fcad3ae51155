import Glibc
import Manifests
import Support
import Testing
import Values

/// What an image says of its users, its signal and its files: the same for all who unpack images.
@Suite(.serialized) struct ImageContentTests {
    private static let passwd = "root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/srv:/bin/sh\n"
    private static let group = "root:x:0:\napp:x:2345:\nstaff:x:777:someone,app\n"

    private static func accounts(_ user: String) -> Node {
        .map([
            ("config", .map([("User", .text(user))])),
            (
                "layers",
                [
                    [
                        .map([("name", "etc/passwd"), ("text", .text(passwd))]),
                        .map([("name", "etc/group"), ("text", .text(group))]),
                    ]
                ]
            ),
        ])
    }

    @Test(arguments: Isolation.containers) func theUserOfAnImageIsLookedUpInIt(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let rows = [
                ("app", "1234 2345 2345 777"), ("app:0", "1234 0 0"), ("1234", "1234 2345 2345 777"),
                ("1234:staff", "1234 777 777"), ("4321:55", "4321 55 55"), ("4321", "4321 4321 4321"),
            ]
            var manifests = ""
            for (number, (user, _)) in rows.enumerated() {
                let image = try world.image("user-\(number)", Self.accounts(user))
                manifests += World.agent(
                    "user-\(number)", "echo $(id -u) $(id -g) $(id -G)",
                    "driver: \(isolation.driver)\nimageArchive: \(image)\nrestartPolicy: Never")
            }
            for (name, user) in [("no-user", "ghost"), ("no-group", "app:ghosts")] {
                let image = try world.image(name, Self.accounts(user))
                manifests += World.agent(
                    name, "true", "driver: \(isolation.driver)\nimageArchive: \(image)\nrestartPolicy: Never")
            }
            world.apply(manifests)
            for (number, (user, expected)) in rows.enumerated() {
                World.until("\(user) ran") { world.phase("user-\(number)") == "Completed" }
                #expect(world.log("user-\(number)") == [expected], "\(user)")
            }
            for (name, unknown) in [("no-user", "\"ghost\""), ("no-group", "\"ghosts\"")] {
                World.until("\(name) is refused") { world.phase(name) == "Failed" }
                let exit = world.lastExit(name)
                #expect(exit?["reason"]?.string == "StartError")
                #expect(exit?["message"]?.string?.contains(unknown) == true, "\(String(describing: exit))")
            }
        }
    }

    /// Entries, one layer after the other, with all that the image specification leaves to whoever unpacks.
    private static let layers: Node = [
        [
            .map([("name", "t/implicit/deep/file"), ("text", "deep"), ("mode", 0o640), ("uid", 5), ("gid", 6)]),
            .map([("name", "t/closed"), ("type", "dir"), ("mode", 0o750), ("uid", 7)]),
            .map([("name", "t/closed/inside"), ("text", "x")]),
            .map([("name", "t/becomes-file/old"), ("text", "old")]),
            .map([("name", "t/opaque/old"), ("text", "old")]), .map([("name", "t/plain"), ("text", "plain")]),
            .map([("name", "t/link"), ("type", "link"), ("to", "plain")]),
            .map([("name", "t/hard"), ("type", "hard"), ("to", "t/plain")]),
            .map([("name", "t/set"), ("text", "s"), ("mode", 0o4755), ("uid", 9)]),
            .map([("name", "t/sticky"), ("type", "dir"), ("mode", 0o1777)]),
            .map([("name", "t/ümlaut"), ("text", "u")]), .map([("name", "t/pipe"), ("type", "fifo"), ("mode", 0o600)]),
            .map([("name", "t/real"), ("type", "dir")]),
            .map([("name", "t/through"), ("type", "link"), ("to", "/t/real")]),
            .map([("name", "t/same"), ("type", "link"), ("to", "/t/real")]),
            .map([("name", "t/same/followed"), ("text", "f")]),
        ],
        [
            .map([("name", "t/becomes-file"), ("text", "new")]), .map([("name", "t/.wh.plain"), ("text", "")]),
            .map([("name", "t/opaque/.wh..wh..opq"), ("text", "")]),
            .map([("name", "t/opaque/new"), ("text", "n")]), .map([("name", "t/through/inside"), ("text", "i")]),
            .map([("name", "t/link"), ("type", "dir")]), .map([("name", "t/link/in"), ("text", "in")]),
        ],
    ]

    private static let tree = [
        "directory 755 0:0 /t", "directory 755 0:0 /t/implicit", "directory 755 0:0 /t/implicit/deep",
        "directory 755 0:0 /t/link", "directory 755 0:0 /t/opaque", "directory 755 0:0 /t/real",
        "directory 750 7:0 /t/closed", "directory 1777 0:0 /t/sticky", "fifo 600 0:0 /t/pipe",
        "regular file 640 5:6 /t/implicit/deep/file", "regular file 644 0:0 /t/becomes-file",
        "regular file 644 0:0 /t/closed/inside", "regular file 644 0:0 /t/hard", "regular file 644 0:0 /t/link/in",
        "regular file 644 0:0 /t/opaque/new", "regular file 644 0:0 /t/real/followed",
        "regular file 644 0:0 /t/through/inside", "directory 755 0:0 /t/through", "symbolic link 777 0:0 /t/same",
        "regular file 644 0:0 /t/ümlaut", "regular file 4755 9:0 /t/set",
    ].sorted()

    @Test(arguments: Isolation.containers) func layersUnpackToTheSameTree(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let image = try world.image("layers", .map([("layers", Self.layers)]))
            let script = """
                find /t -exec stat -c '%F %a %u:%g %n' {} \\;; \
                cat /t/implicit/deep/file /t/becomes-file /t/hard /t/opaque/new /t/through/inside /t/real/followed /t/ümlaut; echo
                """
            world.apply(
                World.agent(
                    "one", script,
                    "driver: \(isolation.driver)\nimageArchive: \(image)\nrestartPolicy: Never\nsecurityContext: {runAsUser: 0}"
                ))
            World.until("it ran") { ["Completed", "Failed"].contains(world.phase("one")) }
            let lines = world.log("one")
            #expect(lines.dropLast().sorted() == Self.tree, "\(world.run("describe", "agent", "one").text)")
            #expect(lines.last == "deepnewplainnifu")
        }
    }

    @Test(arguments: Isolation.containers) func whatCannotBeUnpackedIsSaid(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let long = "t/\(String(repeating: "n", count: 300))"
            let rows: [(String, Node)] = [
                ("long", .map([("name", .text(long)), ("text", "x")])),
                ("below-file", .map([("name", "usr/bin/busybox/below"), ("text", "x")])),
                ("hard-to-none", .map([("name", "t/hard"), ("type", "hard"), ("to", "t/none")])),
            ]
            for (name, entry) in rows {
                let image = try world.image(name, .map([("layers", [[entry]])]))
                world.apply(
                    World.agent(
                        name, "true", "driver: \(isolation.driver)\nimageArchive: \(image)\nrestartPolicy: Never"))
                World.until("\(name) is refused") { world.phase(name) == "Failed" }
                let exit = world.lastExit(name)
                #expect(exit?["reason"]?.string == "StartError", "\(name): \(String(describing: exit))")
                #expect(exit?["message"]?.string?.isEmpty == false)
            }
        }
    }

    @Test(arguments: Isolation.containers) func theImagesStopSignalIsUsedUnlessTheManifestNamesOne(
        isolation: Isolation
    ) throws {
        try inIsolation(isolation) { world, _ in
            let (signal, number) = isolation.unusualSignal
            let image = try world.image("signal", .map([("config", .map([("StopSignal", .text(signal))]))]))
            let script =
                "trap 'exit 37' 37; trap 'exit 10' USR1; trap 'exit 12' USR2; trap 'exit 15' TERM; echo up; while :; do sleep 0.1; done"
            func agent(_ name: String, _ image: String, _ more: String) -> String {
                World.agent(name, script, "driver: \(isolation.driver)\nimageArchive: \(image)\n\(more)")
            }
            let rows = [
                ("image", image, "", number), ("manifest", image, "stopSignal: SIGUSR2\n", 12),
                ("neither", Containerd.image, "", 15),
                ("realtime", Containerd.image, "stopSignal: \(signal)\n", number),
            ]
            world.ready(rows.map { agent($0.0, $0.1, $0.2) }.joined())
            for row in rows { world.untilLog(row.0, "up") }
            world.apply(rows.map { agent($0.0, $0.1, $0.2 + "suspend: true") }.joined())
            for row in rows {
                World.until("\(row.0) is stopped") { world.phase(row.0) == "Suspended" }
                #expect(
                    world.lastExit(row.0)?["code"]?.int == row.3,
                    "\(row.0): \(String(describing: world.lastExit(row.0)))")
            }
        }
    }

    @Test(arguments: Isolation.withOwnKernel) func aSignalThatTheRuntimeCannotSendIsRefused(
        isolation: Isolation
    ) throws {
        try inIsolation(isolation) { world, _ in
            let applied = world.apply(world.agent("one", isolation, World.stays, "stopSignal: SIGRTMIN+3"))
            #expect(applied.code == 3 && applied.error.contains("spec.stopSignal"), "\(applied.text)")
            let image = try world.image("signal", .map([("config", .map([("StopSignal", "37")]))]))
            let lines = "driver: \(isolation.driver)\nimageArchive: \(image)\nrestartPolicy: Never"
            world.apply(World.agent("two", World.stays, lines))
            World.until("it is refused") { world.phase("two") == "Failed" }
            #expect(world.lastExit("two")?["message"]?.string?.contains("STOPSIGNAL SIGRTMIN+3") == true)
        }
    }
}

extension World {
    /// An image that differs from the usual one as described (see `image.py`).
    func image(_ name: String, _ description: Node) throws -> String {
        let path = "\(directory)/\(name).tar"
        let script = #filePath.replacing("ImageContentTests.swift", with: "image.py")
        let result = spawn(
            ["/usr/bin/python3", script, Containerd.image, path], input: JSONWriter.text(description))
        try #require(result.code == 0, "\(result.text)")
        return path
    }
}
