import Glibc
import Manifests
import Support
import Testing
import Values

/// Further situations, each set up for real.
extension WhyTests {
    @Test func howARunHasEndedIsTold() {
        inWorld { world in
            world.startDaemon()
            world.apply(
                World.agent("base", "exit 1", "restartPolicy: Never")
                    + World.agent("above", World.stays, "dependsOn: [{name: base}]")
                    + World.agent("done", "exit 0")
                    + World.agent(
                        "sick", World.stays,
                        "livenessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1}\n"
                            + "restartPolicy: Never")
                    + World.agent("shot", World.stays, "restartPolicy: Never")
                    + World.agent("gone", World.stays, "restartPolicy: Never"))
            why(
                world, "above", says: "is Created", "an agent that it depends on has failed for good",
                "see why that agent")
            why(
                world, "done",
                says: "it ended by itself, with success",
                "set restartPolicy to OnFailure or Never when its work is done once")
            why(
                world, "sick",
                says: "a probe said that it does not do its work any more, so it was ended",
                "give it more time where it needs that")
            why(world, "shot", says: "is Ready")
            World.kill(world.pid("shot"), SIGKILL)
            why(world, "shot", says: "is Failed", "it ended by itself, with an error", "SIGKILL")
            why(world, "gone", says: "is Ready")
            // Who could have read how it ended goes first.
            let pid = world.pid("gone")
            World.kill(World.parent(of: pid), SIGKILL)
            World.kill(pid, SIGKILL)
            why(world, "gone", says: "it is gone, and nobody could read how it ended")
        }
    }

    @Test func whatAPersonHasAskedForIsTold() {
        inWorld { world in
            world.startDaemon()
            let stubborn = "trap '' TERM; echo deaf; while :; do sleep 0.2; done"
            world.apply(
                World.agent("web", World.stays, "replicas: 2") + World.agent("nap", World.stays)
                    + World.agent("held", World.stays, "paused: true")
                    + World.agent(
                        "slow", World.stays,
                        "progressDeadlineSeconds: 1\n"
                            + "readinessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1}")
                    + World.agent("deaf", stubborn, "terminationGracePeriodSeconds: 3600")
                    + World.agent("front", stubborn, "terminationGracePeriodSeconds: 3600\ndependsOn: [{name: nap}]"))
            for name in ["web", "nap", "held", "deaf", "front"] { why(world, name, says: "is Ready") }
            why(world, "slow", says: "it was not ready within progressDeadlineSeconds")

            world.run("scale", "web", "--replicas", "1")
            why(world, "web/1", says: "there are to be fewer replicas")
            world.run("suspend", "web")
            why(
                world, "web", says: "is Suspended",
                "replica 0: the daemon has asked it to stop: the agent is suspended",
                "what is declared of it was changed, by uid:", "set spec.suspend to false")

            // Another command, in an editor, while changes are held back.
            let editor = world.write("editor", "#!/bin/sh\nsed -i 's/priority: 0/priority: 7/' \"$1\"\n")
            chmod(editor, 0o755)
            world.moreEnvironment = ["AGENTOS_EDITOR=\(editor)"]
            let edited = world.run("edit", "agent", "nap")
            #expect(edited.code == 0, "\(edited.text)")
            why(world, "nap", says: "what is declared of it was changed", "with agentos-edit")
            world.apply(World.agent("held", "exec sleep 1000", "paused: true"))
            why(
                world, "held",
                says: "spec.paused is set, and changes of it wait", "agentos-apply rollout resume held")

            // It is told when it will be killed.
            World.until("it does not hear") { world.run("logs", "deaf").output.contains("deaf") }
            world.run("delete", "agent", "deaf", "--no-wait")
            why(
                world, "deaf", says: "the end of replica 0, which is killed at ", "its deletion was asked for, by uid:",
                "delete with --grace-period 0 to end it at once")
            // Below others that do not end.
            World.until("it does not hear") { world.run("logs", "front").output.contains("deaf") }
            world.run("delete", "agents", "nap", "front", "--no-wait")
            why(world, "nap", says: "agents that depend on it stop first")
            world.run("delete", "agents", "deaf", "front", "nap", "--grace-period", "0", "--no-wait")
            why(world, "nap", says: "is Deleted")
        }
    }

    @Test func whatIsHeldUpInItsEndNamesWhoHoldsIt() {
        inWorld { world in
            world.startDaemon()
            world.run("create", "ns", "team")
            world.apply(
                Self.map.replacing("{name: m,", with: "{name: m, namespace: team,")
                    + World.agent("kept", World.stays).replacing(
                        "{name: kept}", with: "{name: kept, finalizers: [example.com/hold]}"))
            why(world, "kept", says: "is Ready")
            world.run("delete", "agent", "kept", "--no-wait", "--grace-period", "0")
            why(
                world, "kept",
                says: "it is deleted as soon as the programs that hold its finalizers let go", "example.com/hold",
                "remove the finalizer with a patch")
            world.run("delete", "ns", "team", "--no-wait")
            why(world, "namespace/team", says: "namespace team is Terminating", "its deletion was asked for, by uid:")
            why(world, "configmap/m", "-n", "team", says: "waiting for finalizers: example.com/hold")
        }
    }

    @Test func aCommitThatDeclaresItNoMoreIsNamed() {
        inWorld { world in
            let directory = "\(world.directory)/fleet"
            mkdir(directory, 0o755)
            func git(_ words: String...) -> String {
                let result = world.spawn(
                    ["git", "-C", directory, "-c", "user.name=t", "-c", "user.email=t@example.com"] + words,
                    timeoutMs: 30_000)
                #expect(result.code == 0, "git \(words): \(result.text)")
                return result.output.split(separator: "\n").first.map(String.init) ?? ""
            }
            _ = git("init", "-q", "-b", "main")
            for name in ["one", "two", "three", "four"] {
                world.write(
                    "\(directory)/\(name).yaml",
                    World.agent(name, name == "two" ? "exit 3" : World.stays, "restartPolicy: Never"))
            }
            _ = git("add", ".")
            _ = git("commit", "-q", "-m", "first")
            let first = git("rev-parse", "HEAD")
            world.moreEnvironment = ["AGENTOS_WATCH=\(directory)"]
            world.startDaemon()
            why(world, "one", says: "is Ready", "/one.yaml:1 at ", String(first.prefix(7)))
            why(
                world, "source/watch-fleet", says: "an agent that it declares has failed",
                "see why the agent that is named")
            _ = git("rm", "-q", "one.yaml")
            _ = git("commit", "-q", "-m", "without one")
            let second = git("rev-parse", "HEAD")
            why(
                world, "one",
                says: "is Deleted", "its Source no longer declares it, and deletes it, by source:default/watch-fleet",
                String(second.prefix(7)))
            // More than half of what is left.
            _ = git("rm", "-q", "two.yaml", "three.yaml")
            _ = git("commit", "-q", "-m", "without most")
            why(
                world, "source/watch-fleet",
                says: "more would be deleted than one sync may delete",
                "agentos-apply plan --source watch-fleet --force; then agentos-apply sync watch-fleet --force")
            why(world, "three", says: "is Ready")
        }
    }

    /// The kernel's name for the time since its start is another one; what ran is gone with the machine.
    @Test(.enabled(if: World.isRoot, "needs root, to show another start of the machine"))
    func aRestartOfTheMachineIsToldAsSuch() {
        inWorld { world in
            world.startDaemon()
            world.apply(World.agent("web", World.stays), "--wait")
            let pid = world.pid("web")
            let supervisor = World.parent(of: pid)
            world.killDaemon()
            World.kill(supervisor, SIGKILL)
            World.kill(pid, SIGKILL)
            World.until("nothing of it runs") { !World.isAlive(pid) && !World.isAlive(supervisor) }
            let boot = world.write("boot", "11111111-2222-3333-4444-555555555555\n")
            let daemon = World.start(
                [
                    "unshare", "-m", "--propagation", "private", "sh", "-c",
                    "mount --bind \(boot) /proc/sys/kernel/random/boot_id && exec \"$0\" daemon", World.program,
                ], world.environment, nil, "/dev/null", "\(world.directory)/daemon.err")
            why(world, "web", says: "is Ready", "the machine was restarted")
            World.kill(daemon, SIGTERM)
            #expect(World.wait(daemon) == 0, "\(World.read("\(world.directory)/daemon.err"))")
        }
    }
}
