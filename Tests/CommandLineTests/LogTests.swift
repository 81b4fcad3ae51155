import Glibc
import Support
import Testing
import Values
import agentos_apply

/// What is shown of logs.
@Suite(.serialized) struct LogTests {
    private let source = LogSource(namespace: "team", agent: "coder", ordinal: 2)

    private func shown(_ pieces: [String], _ change: (inout LogStyle) -> Void) -> String {
        var style = LogStyle()
        change(&style)
        var text = LogText(source, style)
        let out = pieces.flatMap { text.take($0.utf8) } + text.end()
        return String(decoding: out, as: UTF8.self)
    }

    @Test func linesAreWholeHoweverTheyCome() {
        #expect(shown(["a\nb", "c\n", "d"]) { $0.prefix = .replica } == "[coder/2] a\n[coder/2] bc\n[coder/2] d\n")
        #expect(shown(["a\n"]) { $0.prefix = .namespace } == "[team/coder/2] a\n")
        let long = String(repeating: "x", count: 3_000_000)
        #expect(shown([long, long, "\nb\n"]) { $0.prefix = .replica } == "[coder/2] \(long)\(long)\n[coder/2] b\n")
        #expect(shown(["a\n"]) { $0.prefix = .none } == "a\n")
    }

    @Test func prefixesAreColouredOnATerminal() {
        let text = shown(["a\n"]) {
            $0.prefix = .replica
            $0.hasColor = true
        }
        #expect(text.hasPrefix("\u{1b}[3") && text.hasSuffix("m[coder/2] \u{1b}[0ma\n"), "\(text)")
    }

    private let timed = "2026-01-01T00:00:00.5Z a\n2026-01-01T00:00:01.5Z error: b\n2026-01-01T00:00:02.5Z c\n"

    @Test func linesAreChosenByTimeAndPattern() throws {
        let pattern = try LinePattern("^(c|error:)")
        #expect(shown(["a\nerror: x\n", "cde\n"]) { $0.pattern = pattern } == "error: x\ncde\n")
        #expect(shown([timed]) { $0.until = "2026-01-01T00:00:02.000" } == "a\nerror: b\n")
        #expect(
            shown([timed]) {
                $0.hasTimes = true
                $0.pattern = pattern
            } == "2026-01-01T00:00:01.5Z error: b\n2026-01-01T00:00:02.5Z c\n")
        #expect(
            shown([timed]) {
                $0.isJSON = true
                $0.until = "2026-01-01T00:00:01.000"
            }
                == "{\"time\":\"2026-01-01T00:00:00.5Z\",\"namespace\":\"team\",\"agent\":\"coder\",\"replica\":2,\"text\":\"a\"}\n"
        )
        #expect(throws: Mistake.self) { try LinePattern("(") }
    }

    /// Wherever a daemon ended, and however its successor's answer comes: nothing is shown twice, and nothing is missing.
    @Test func followingGoesOnWhereItWas() {
        let stamps = [1, 1, 2, 3, 3, 3].map { "2026-01-01T00:00:00.00000000\($0)Z" }
        let lines = ["a", "", "2026 b c", "a", "a", "2026-01-01T00:00:00.000000009Z d"]
        let stamped = zip(stamps, lines).map { "\($0) \($1)\n" }.joined()
        let plain = lines.joined(separator: "\n") + "\n"
        let bytes = Array(stamped.utf8)
        for keepsTimes in [false, true] {
            for cut in 0...bytes.count {
                for pieceBytes in [1, 7, 1000] {
                    var place = LogPlace(keepsTimes: keepsTimes)
                    var out = place.take(bytes[..<cut])
                    place.resume()
                    // The daemon is asked for lines since the last time that was seen, which is finer than it goes.
                    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
                        out += place.take(bytes[start..<min(start + pieceBytes, bytes.count)])
                    }
                    out += place.end()
                    let shown = String(decoding: out, as: UTF8.self)
                    #expect(shown == (keepsTimes ? stamped : plain), "cut at \(cut), in pieces of \(pieceBytes)")
                }
            }
        }
        // What has no end yet is shown at once, and what another line stands in goes on without a time.
        var place = LogPlace(keepsTimes: false)
        func take(_ text: String) -> String { String(decoding: place.take(text.utf8), as: UTF8.self) }
        #expect(take("2026-01-01T00:00:00.000000001Z login: ") == "login: ")
        #expect(take("\n2026-01-01T00:00:00.000000002Z error\nme") == "\nerror\nme")
        #expect(take("\n\u{fe}\n") == "\n\u{fe}\n")
    }

    @Test func allReplicasAreShownWithTheirNames() {
        inWorld { world in
            let loud = "i=0; while [ $i -lt 3 ]; do echo line $i; i=$((i+1)); done; printf open; \(World.stays)"
            world.apply(
                World.agent("one", loud, "replicas: 2")
                    + World.agent("two", "echo hello; \(World.stays)").replacing(
                        "name: two", with: "name: two, labels: {tier: back}"), "--wait")
            let all = (0...1).map { "[one/\($0)] line 0\n[one/\($0)] line 1\n[one/\($0)] line 2\n[one/\($0)] open\n" }
            World.until("all is written") {
                world.run("logs", "agent/one").output == all.joined() && world.run("logs", "two").output == "hello\n"
            }
            #expect(world.run("logs", "one", "--tail", "2", "--replica", "0").output == "line 2\nopen")
            #expect(world.run("logs", "two").output == "hello\n")
            #expect(
                world.run("logs", "two", "one", "--grep", "hello|line 0", "--tail", "9").output.split(separator: "\n")
                    .count == 3)
            #expect(world.run("logs", "-l", "tier=back").output == "[two/0] hello\n")
            #expect(world.run("logs", "-A", "-l", "tier=back").output == "[default/two/0] hello\n")
            #expect(world.run("logs", "-A", "--no-prefix", "--grep", "hell").output == "hello\n")
            #expect(world.run("logs", "two", "--until", "1h").output == "")
            #expect(world.run("logs", "two", "--since", "1h").output == "hello\n")
            #expect(world.run("logs", "two", "--run", "1").output == "hello\n")
            let late = world.run("logs", "two", "--run", "7")
            #expect(late.code == 1 && late.error.contains("has no run 7; the last is 1"), "\(late.text)")
            let json = JSONReader.read(world.run("logs", "two", "-o", "json").output)
            #expect(json?["text"] == "hello" && json?["replica"] == 0 && Timestamp.parse("1970-01-01T00:00:00Z") == 0)
            let mixed = world.run("logs", "two", "nobody")
            #expect(mixed.code == 1 && mixed.output == "hello\n", "\(mixed.text)")
            #expect(mixed.error.contains("agents.agentos.dev \"nobody\" not found"), "\(mixed.text)")
            for words in [
                ["logs"], ["logs", "one", "-l", "a=b"], ["logs", "secret/s"], ["logs", "one", "--grep", "("],
                ["logs", "one", "-f", "--until", "1m"], ["logs", "one", "--until", "soon"],
                ["logs", "one", "--since", "1m", "--since-time", "2026-01-01T00:00:00Z"],
                ["logs", "one", "-p", "--run", "1"],
            ] { #expect(world.run(words).code == 64, "\(words)") }
        }
    }

    /// Each run writes one line and ends; none of them is missing, and those of a replica that comes later neither.
    @Test func followingLosesNothing() {
        inWorld { world in
            let counts =
                "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n > n; echo run $n; "
                + "while [ ! -e go ]; do sleep 0.05; done; [ $n -ge 8 ] && exit 0; exit 1"
            let backoff = "backoff: {initialSeconds: 0, maxSeconds: 0}\nrestartPolicy: OnFailure"
            world.startDaemon()
            func labelled(_ manifest: String) -> String {
                manifest.replacing("metadata: {", with: "metadata: {labels: {tier: loud}, ")
            }
            world.apply(labelled(World.agent("early", "echo here; \(World.stays)")), "--wait")
            let following = world.begin("logs", "-f", "-l", "tier=loud")
            World.until("it follows") { World.read(following.output) == "[early/0] here\n" }
            world.apply(labelled(World.agent("loud", counts, backoff)))
            // Who comes when a run is over begins with the next.
            World.until("the first run is followed") { World.read(following.output).contains("run 1\n") }
            world.write("\(World.openPath(world.pid("loud"), "cwd"))/go", "")
            World.until("all runs are shown") { World.read(following.output).contains("run 8\n") }
            #expect(
                World.read(following.output) == "[early/0] here\n" + (1...8).map { "[loud/0] run \($0)\n" }.joined())
            World.kill(following.pid, SIGTERM)
            _ = World.wait(following.pid)

            // What has ended for good ends the following of it.
            let whole = world.run("logs", "-f", "loud")
            #expect(whole.code == 0 && whole.output == "run 8\n", "\(whole.text)")

            world.apply(World.agent("more", "echo up; \(World.stays)"), "--wait")
            let growing = world.begin("logs", "-f", "more", "--prefix")
            World.until("the first is followed") { World.read(growing.output) == "[more/0] up\n" }
            #expect(world.run("scale", "more", "--replicas", "2", "--wait").code == 0)
            World.until("the second is followed") { World.read(growing.output).contains("[more/1] up\n") }
            #expect(world.run("delete", "agent", "more").code == 0)
            #expect(World.wait(growing.pid) == 0)
        }
    }
}
