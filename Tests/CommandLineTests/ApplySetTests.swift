import Support
import Testing
import Values
import agentos_apply

/// Deleting what is declared no more.
@Suite(.serialized) struct ApplySetTests {
    /// As kubectl computes it.
    @Test func anApplySetHasTheIDThatKubectlGivesIt() {
        let set = ApplySet(name: "fleet", namespace: "team")
        #expect(set.id.hasPrefix("applyset-") && set.id.hasSuffix("-v1") && set.id.count == 9 + 43 + 3)
        let same = ApplySet(name: "fleet", namespace: "team", manifests: [])
        #expect(set.id == same.id && set.id != ApplySet(name: "fleet", namespace: "other").id)
        #expect(set.id.dropFirst(9).allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
    }

    private func map(_ name: String, _ more: String = "") -> String {
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name)\(more)}\n---\n"
    }

    @Test func whatIsDeclaredNoMoreIsPruned() {
        inWorld { world in
            world.startDaemon()
            world.run("create", "ns", "team")
            world.run("create", "cm", "foreign")
            let first = world.apply(
                map("a") + map("b") + map("kept", ", annotations: {agentos.dev/prune: disabled}")
                    + map("c", ", namespace: team"), "--applyset", "fleet")
            #expect(first.code == 0, "\(first.text)")
            #expect(world.apply(map("z"), "--prune").code == 64)

            let broken = world.apply(map("a") + map("d", ", labels: {x: '!'}"), "--prune", "--applyset", "fleet")
            #expect(broken.code == 3 && world.get("b", kind: "cm") != nil, "\(broken.text)")

            let tried = world.apply(map("a"), "--prune", "--applyset", "fleet", "--dry-run")
            #expect(tried.code == 0 && tried.output.contains("configmap/b pruned (dry run)"), "\(tried.text)")
            #expect(world.get("b", kind: "cm") != nil)

            let second = world.apply(map("a"), "--prune", "--applyset", "fleet")
            #expect(second.code == 0, "\(second.text)")
            #expect(
                second.output.contains("configmap/b pruned\n") && second.output.contains("configmap/c pruned\n")
                    && second.output.contains("configmap/kept kept (agentos.dev/prune: disabled)"), "\(second.text)")
            #expect(world.get("b", kind: "cm") == nil && world.get("c", kind: "cm", namespace: "team") == nil)
            #expect(world.get("foreign", kind: "cm") != nil && world.get("kept", kind: "cm") != nil)
            let again = world.apply(map("a"), "--prune", "--applyset", "fleet")
            #expect(
                again.output == "configmap/a unchanged\nconfigmap/kept kept (agentos.dev/prune: disabled)\n",
                "\(again.text)")

            world.run("create", "secret", "generic", "mine")
            let taken = world.apply(map("a"), "--prune", "--applyset", "mine")
            #expect(taken.code == 7 && taken.error.contains("is no ApplySet"), "\(taken.text)")
        }
    }

    @Test func whatBelongsToAnotherSetIsNotTaken() {
        inWorld { world in
            world.startDaemon()
            #expect(world.apply(map("a") + map("b"), "--applyset", "one").code == 0)
            for words in [
                ["--applyset", "two", "--prune"], ["--applyset", "two"], ["--applyset", "two", "--dry-run"],
            ] {
                let path = world.write("taken.yaml", map("new") + map("a"))
                let taken = world.run(["-f", path] + words)
                #expect(taken.code == 7 && taken.output == "", "\(taken.text)")
                #expect(
                    taken.error.contains(
                        "configmap/a in namespace default belongs to the ApplySet secret/one in namespace default\n")
                        && taken.error.contains("nothing was applied"), "\(taken.error)")
            }
            #expect(world.get("new", kind: "cm") == nil && world.get("two", kind: "secret") == nil)
            let label = ", labels: {\(ApplySet.memberLabel): \(ApplySet(name: "one", namespace: "default").id)}"
            let own = world.apply(map("c", label), "--applyset", "two")
            #expect(own.code == 7 && own.error.contains("belongs to the ApplySet secret/one"), "\(own.text)")
            // Let go there, it may be taken.
            #expect(world.run("label", "cm", "a", "\(ApplySet.memberLabel)-").code == 0)
            #expect(world.apply(map("a"), "--applyset", "two").code == 0)
            let rest = world.apply(map("b"), "--applyset", "one", "--prune")
            #expect(rest.code == 0 && world.get("a", kind: "cm") != nil, "\(rest.text)")
        }
    }
}
