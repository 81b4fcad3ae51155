import Glibc
import Support
import Testing
import Values

/// A start that cannot be says which file, link, word, directory or variable is wrong.
@Suite(.serialized) struct StartErrorTests {
    private static func manifest(_ name: String, _ spec: String) -> String {
        "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: \(name)}\nspec: {\(spec), restartPolicy: Never}\n---\n"
    }

    @Test func eachStartErrorHasWordsOfItsOwn() {
        inWorld { world in
            world.startDaemon()
            let script = world.write("script", "#!/bin/sh\r\nexit 0\r\n")
            chmod(script, 0o755)
            let alien = world.write("alien", "#!/opt/none/python\n")
            chmod(alien, 0o755)
            let plain = world.write("plain", "text\n")
            let link = "\(world.directory)/link"
            symlink("/nowhere/target", link)
            let big = String(repeating: "x", count: 131_100)
            let cases: [(name: String, spec: String, words: String)] = [
                ("missing", "command: [/no/such/program]", "there is no file \"/no/such/program\""),
                ("unknown", "command: [nonesuch]", "there is no program \"nonesuch\" in the directories of PATH"),
                ("words", "command: [sleep 600]", "\"sleep 600\""),
                ("dangling", "command: [\(link)]", "is a link to \"/nowhere/target\", which is not there"),
                ("windows", "command: [\(script)]", "\"/bin/sh\\r\""),
                ("alien", "command: [\(alien)]", "the interpreter \"/opt/none/python\""),
                ("plain", "command: [\(plain)]", "may not be executed by user"),
                ("directory", "command: [/usr]", "\"/usr\" is a directory"),
                (
                    "place", "command: [sleep, '1'], workingDir: /nowhere/at/all",
                    "entering the working directory: \"/nowhere/at/all\" does not exist"
                ),
                (
                    "big", "command: [sleep, '1'], env: [{name: BIG, value: \(big)}]",
                    "the variable BIG has 131105 bytes; the kernel gives a program 131072 at most"
                ),
            ]
            world.apply(cases.map { Self.manifest($0.name, $0.spec) }.joined())
            for (name, _, words) in cases {
                World.until("\(name) has failed") { world.phase(name) == "Failed" }
                let exit = world.runOf(name)?["lastExit"]
                #expect(exit?["reason"]?.string == "StartError", "\(name)")
                let message = world.condition(name, "Ready")?["message"]?.string ?? ""
                #expect(message.contains(words), "\(name): \(message)")
            }
        }
    }

    /// Bytes of a Secret that no variable can hold are refused with its name and key, and never cut or given as others.
    @Test(arguments: [
        ("/4CA", "key \"raw\" of Secret \"bin\" is not UTF-8"),
        ("YQBi", "holds a zero byte, which no program can be given"),
    ])
    func bytesThatNoVariableHoldsAreRefusedByName(data: String, words: String) {
        inWorld { world in
            let secret =
                "apiVersion: v1\nkind: Secret\nmetadata: {name: bin}\ndata: {raw: \"\(data)\", fine: \"w6QKYg==\"}\n---\n"
            func from(_ key: String) -> String {
                "env: [{name: RAW, valueFrom: {secretKeyRef: {name: bin, key: \(key)}}}]"
            }
            world.apply(
                secret + Self.manifest("one", "command: [sleep, '1000'], \(from("raw"))")
                    + Self.manifest("all", "command: [sleep, '1000'], envFrom: [{secretRef: {name: bin}}]")
                    + World.agent("fine", "printf %s \"$RAW\" | od -An -tx1; \(World.stays)", from("fine")))
            for name in ["one", "all"] {
                World.until("\(name) has failed") { world.phase(name) == "Failed" }
                #expect(world.runOf(name)?["lastExit"]?["reason"]?.string == "StartError")
                let message = world.condition(name, "Ready")?["message"]?.string ?? ""
                #expect(message.contains(words), "\(name): \(message)")
            }
            World.until("all bytes of a text are there") { world.run("logs", "fine").output == " c3 a4 0a 62\n" }
        }
    }
}
