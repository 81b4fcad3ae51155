import Glibc
import Manifests
import Support
import Testing
import Values

/// Why things are as they are, in situations set up for real.
@Suite(.serialized) struct WhyTests {
    func why(_ world: World, _ words: String..., within: Int = World.patienceMs, says parts: String...) {
        var text = ""
        World.until("why \(words.joined(separator: " ")) says it", within) {
            text = world.run(["why"] + words).output
            return parts.allSatisfy(text.contains)
        }
        for part in parts { #expect(text.contains(part), "\(part) in:\n\(text)") }
    }

    static let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, finalizers: [example.com/hold]}\n---\n"

    @Test func whatDoesNotRunSaysWhatIsMissing() {
        inWorld { world in
            world.startDaemon()
            world.apply(
                World.agent("loop", "echo the last words; exit 3", "backoff: {initialSeconds: 1}")
                    + World.agent("noprogram", "x").replacing("[sh, -c, \"x\"]", with: "[/nowhere/program]")
                    + World.agent("orphan", World.stays, "dependsOn: [{name: nobody}]")
                    + World.agent("follower", World.stays, "dependsOn: [{name: unready}]")
                    + World.agent("reader", World.stays, "envFrom: [{secretRef: {name: none}}]")
                    + World.agent("big", World.stays, "resources: {requests: {memory: 100Ti}}")
                    + World.agent(
                        "unready", World.stays,
                        "readinessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1}")
                    + World.agent("once", "exit 1", "restartPolicy: Never")
                    + World.agent("work", "exit 0", "restartPolicy: Never")
                    + World.agent("asleep", World.stays, "suspend: true")
                    + World.agent("nothing", World.stays, "replicas: 0")
                    + World.agent("well", World.stays, "replicas: 2"))
            why(
                world, "loop",
                says: "agent default/loop is ", "exit code 3", "times in ", "it was declared, by uid:", "from ",
                "manifest-", "agentos-apply logs loop; then", "  | the last words\n")
            why(
                world, "noprogram",
                says: "/nowhere/program", "it could not be started", "correct what the message names")
            why(
                world, "orphan",
                says: "is Created", "an agent that it depends on does not exist: agent \"nobody\" does not exist",
                "apply that agent", "it starts by itself as soon as it need not wait any more")
            why(world, "follower", says: "an agent that it depends on is not as far as it must be: agent \"unready\"")
            why(world, "reader", says: "Secret \"none\" does not exist", "set optional: true")
            why(world, "big", says: "has not enough processor time or memory left", "request less in spec.resources")
            why(
                world, "unready",
                says: "is Starting", "its readiness probe says that it is not ready", "see what the probe asks for")
            why(world, "once", says: "is Failed", "nothing: restartPolicy is Never", "exit code 1")
            why(world, "work", says: "is Completed", "nothing: its work is done")
            why(
                world, "asleep", says: "is Suspended", "nothing, until spec.suspend is false",
                "set spec.suspend to false")
            why(world, "nothing", says: "there are to be no replicas", "set spec.replicas and apply")
            why(world, "well", says: "is Ready", "nothing: it runs on", "replica 1: it became ready")
            why(world, "well/1", says: "agent default/well/1 is Ready", "replica 1: its process was seen")
            #expect(!world.run("why", "well/1").output.contains("replica 0"))
            #expect(world.run("why", "well/7").code == 1)
            for at in ["2999-01-01T00:00:00Z", "tomorrow"] {
                let later = world.run("why", "well", "--at", at)
                #expect(later.code == 3 && later.error.contains("at: "), "\(later.text)")
            }
        }
    }

    @Test func whatPeopleHaveDoneIsToldWithWhoAndWhere() throws {
        try inWorld { world in
            world.startDaemon()
            let never = world.run("why", "web")
            #expect(never.code == 1 && never.output.contains("is not there: it never was"), "\(never.text)")
            world.apply(World.agent("web", World.stays), "--wait")
            why(world, "web", says: "is Ready")
            let was = try #require(JSONReader.read(world.run("why", "web", "-o", "json").output))
            let then = try #require(was["causes"]?.list?.first?["at"]?.string)
            let event = try #require(was["causes"]?.list?.last?["position"]?.int)

            world.apply(World.agent("web", World.stays, "env: [{name: A, value: b}]"), "--wait")
            why(
                world, "web",
                says: "what is declared of it was changed; that restarts its replicas, because of spec.env, by uid:",
                "its spec has changed, and a run with the new one takes its place")
            world.killDaemon()
            world.startDaemon()
            why(world, "agent/web", says: "is Ready", "nothing: it runs on")

            world.run("delete", "agent", "web", "--grace-period", "0")
            why(
                world, "web", says: "agent default/web is Deleted", "its deletion was asked for, by uid:",
                "apply it again")
            // At that time it was there.
            let at = world.run("why", "web", "--at", then)
            #expect(at.output.contains(" ago: replica 0: it became ready"), "\(at.text)")
            #expect(!at.output.contains("deletion"))
            let born = world.run("why", "event/\(event)")
            #expect(
                born.code == 0 && born.output.contains(" ago: it was declared"), "\(born.text)")
            let id = try #require(world.events("--since-position", "0").first?[path: "event_id"]?.string)
            #expect(world.run("why", "event/\(id)").code == 0)
            #expect(world.run("why", "event/99999").code == 1)

            world.apply(Self.map)
            world.run("delete", "configmap", "m", "--no-wait")
            why(world, "configmap/m", says: "is Terminating", "waiting for finalizers: example.com/hold")
        }
    }

    @Test func whatASourceHasDoneIsToldWithItsRevision() {
        inWorld { world in
            let directory = "\(world.directory)/fleet"
            mkdir(directory, 0o755)
            world.moreEnvironment = ["AGENTOS_WATCH=\(directory)"]
            for name in ["one", "two", "three"] {
                world.write("\(directory)/\(name).yaml", World.agent(name, World.stays))
            }
            world.startDaemon()
            why(world, "one", says: "is Ready", "it was declared, by source:default/watch-fleet", "/one.yaml:1 at ")
            why(world, "source/watch-fleet", says: "is Synced", "the Source was applied at ")
            unlink("\(directory)/one.yaml")
            why(
                world, "one",
                says: "is Deleted", "its Source no longer declares it, and deletes it, by source:default/watch-fleet",
                "/one.yaml:1 at ")
            world.write("\(directory)/two.yaml", "kind: Agent\nmetadata: {name: two}\n")
            why(
                world, "source/watch-fleet",
                says: "is SyncFailed", "could not be read or applied", "two.yaml:1", "correct the file that is named")
        }
    }

    @Test(.enabled(if: IsolationTests.hasControllers, "no cgroup controllers that can be used"))
    func whatWantedTooMuchMemorySaysSo() {
        inWorld { world in
            world.startDaemon()
            let script = "exec python3 -c 'x = bytearray(200 << 20); import time; time.sleep(1000)'"
            world.apply(World.agent("eater", script, "resources: {limits: {memory: 48Mi}}\nrestartPolicy: Never"))
            why(
                world, "eater",
                says: "is Failed", "the kernel has killed it: it wanted more memory than its limit",
                "raise spec.resources.limits.memory")
        }
    }

    @Test func whatIsFrozenSaysSoAndForHowLong() {
        inWorld { world in
            world.startDaemon()
            world.apply(World.agent("web", World.stays, "suspendMode: Freeze"), "--wait")
            world.apply(World.agent("web", World.stays, "suspendMode: Freeze\nsuspend: true"))
            why(
                world, "web",
                says: "is Suspended", "suspend is set; memory is kept", "nothing, until spec.suspend is false",
                "set spec.suspend to false and apply", "what is declared of it was changed, by uid:")
            world.apply(World.agent("web", World.stays, "suspendMode: Freeze"), "--wait")
            why(world, "web", says: "is Ready", "nothing: it runs on")
        }
    }

    /// Nobody becomes Ready of whom a required sink does not know, whoever is the daemon; and nothing is lost on the way.
    @Test func aSinkThatIsAwayIsNamedByWhatWaitsForIt() {
        inWorld { world in
            let place = world.write("archive", "in the way of a directory")
            let sinks = "sinks:\n- name: archive\n  required: true\n  file: {path: \(place)/events}\n"
            let config = world.write("daemon.yaml", sinks)
            #expect(world.start("--config", config).code == 0, "\(world.log)")
            world.apply(World.agent("late", World.stays))
            for _ in 0..<2 {
                why(
                    world, "late",
                    says: "is Starting", "its start waits until a sink that is required has the events that tell of it",
                    "archive", "see what the sink lacks: agentos-apply outbox sinks")
                #expect(world.run("outbox", "sinks").output.contains("archive"))
                // Shown, too, when it is drawn again and again.
                let drawn = "\(world.directory)/drawn"
                let watch = World.start(
                    ["script", "-qfec", "TERM=xterm exec \(World.program) status -w", "/dev/null"], world.environment,
                    nil, drawn, "\(drawn).err")
                World.until("it is drawn: \(World.read(drawn).suffix(300))") {
                    World.read(drawn).contains("sink archive, which starts wait for, takes no events now")
                }
                World.kill(watch, SIGTERM)
                _ = World.wait(watch)
                for verb in ["status", "doctor"] {
                    World.until("\(verb) names it") {
                        world.run(verb).output.contains("sink archive, which starts wait for, takes no events now")
                    }
                }
                world.killDaemon()
                #expect(world.start("--config", config).code == 0, "\(world.log)")
            }
            unlink(place)
            mkdir(place, 0o700)
            why(world, "late", says: "is Ready")
            let uid = world.get("late")?[path: "metadata", "uid"]?.string ?? ""
            World.until("the archive has all events") {
                let events = World.read("\(place)/events").split(separator: "\n").compactMap {
                    JSONReader.read(String($0))
                }
                let mine = events.compactMap { $0["data"] ?? $0 }.filter { $0[path: "object", "uid"]?.string == uid }
                let sequences = mine.compactMap { $0["sequence"]?.int }
                return mine.contains { $0["event_type"]?.string == "run.ready" }
                    && Set(sequences) == Set(1...(sequences.max() ?? 1))
            }
        }
    }

    /// Two Sources declare the same object: the second says who has it.
    @Test func whatBelongsToAnotherSaysToWhom() {
        inWorld { world in
            var directories: [String] = []
            for name in ["first", "second"] {
                directories.append("\(world.directory)/\(name)")
                mkdir(directories[directories.count - 1], 0o755)
            }
            world.moreEnvironment = ["AGENTOS_WATCH=\(directories.joined(separator: ":"))"]
            world.write("\(directories[0])/shared.yaml", World.agent("shared", World.stays))
            world.startDaemon()
            why(world, "shared", says: "is Ready", "by source:default/watch-first")
            world.write("\(directories[1])/shared.yaml", World.agent("shared", World.stays, "priority: 3"))
            why(
                world, "source/watch-second",
                says: "is SyncFailed", "something that it declares could not be read or applied",
                "Source default/watch-first at \(directories[0])/shared.yaml:1 declares it already",
                "correct the file that is named")
            why(world, "shared", says: "is Ready", "it was declared, by source:default/watch-first")
            // The first lets go of it: it goes on under the second.
            unlink("\(directories[0])/shared.yaml")
            why(world, "shared", says: "is Ready", "what is declared of it was changed, by source:default/watch-second")
            why(world, "source/watch-second", says: "is Synced")
        }
    }

    @Test func wordsThatNameNothingAreRefused() {
        inWorld { world in
            world.startDaemon()
            for words in [[], ["a", "b", "c"], ["a//b"], ["agnet/x"], ["agent/x/y"], ["/x"]] {
                #expect(world.run(["why"] + words).code == 64, "\(words)")
            }
            #expect(world.run("why", "x", "--at", "yesterday").code == 3)
        }
    }
}
