import Support
import Testing
import agentos_apply

/// Differences word by word.
@Suite(.serialized) struct WordDiffTests {
    @Test(arguments: [
        ("a b c", "a b c", "a b c"), ("a b c", "a x c", "a [-b-]{+x+} c"), ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("model: small-1", "model: large-1", "model: [-small-]{+large+}-1"),
        ("a\nb", "a\nc\nd", "a\n[-b-]{+c+}\n{+d+}"), ("https://x/a/b", "https://x/c/b", "https://x/[-a-]{+c+}/b"),
    ]) func theWordsThatDifferAreMarked(old: String, new: String, shown: String) {
        #expect(WordDiff(hasColor: false).text(old, new) == shown)
    }

    @Test func marksHaveColoursOnATerminal() {
        #expect(WordDiff(hasColor: true).text("a b", "a c") == "a \u{1b}[31m[-b-]\u{1b}[0m\u{1b}[32m{+c+}\u{1b}[0m")
    }

    @Test func placesThatDifferAreShownWithTheLinesAroundThem() {
        let old = (1...20).map { "line \($0)\n" }.joined()
        let new = old.replacing("line 5\n", with: "line five\n").replacing("line 18\n", with: "")
        #expect(
            WordDiff(hasColor: false).hunks(old, new) == """
                @@ -2,7 +2,7 @@
                line 2
                line 3
                line 4
                line [-5-]{+five+}
                line 6
                line 7
                line 8
                @@ -15,6 +15,5 @@
                line 15
                line 16
                line 17
                [-line 18-]
                line 19
                line 20

                """)
        #expect(WordDiff(hasColor: false).hunks(old, old) == "")
        #expect(WordDiff(hasColor: false).hunks("", "a\n") == "@@ -1,0 +1,1 @@\n{+a+}\n")
        // However different: in the time of a look.
        let many = (1...50_000).map { "\($0) " }.joined()
        #expect(WordDiff(hasColor: false).text(many, many.replacing("1", with: "x")).hasPrefix("[-1"))
    }

    @Test func diffAndPlanShowWords() {
        inWorld { world in
            world.apply(World.agent("web", World.stays, "env: [{name: MODEL, value: small one}]"), "--wait")
            let path = world.write(
                "web.yaml", World.agent("web", World.stays, "env: [{name: MODEL, value: large one}]"))
            let diff = world.run("diff", "-f", path, "--word")
            #expect(diff.code == 1 && diff.output.hasPrefix("diff agent.agentos.dev.default.web\n@@ "), "\(diff.text)")
            #expect(diff.output.contains("[-small-]{+large+} one\n"), "\(diff.text)")
            let lines = world.run("diff", "-f", path)
            #expect(lines.code == 1 && lines.output.contains("large one\n"), "\(lines.text)")
            let plan = world.run("plan", "-f", path, "--word")
            #expect(
                plan.code == 2 && plan.output.contains("      ~ spec.env[MODEL].value: [-small-]{+large+} one\n"),
                "\(plan.text)")
            world.run("-f", path)
            for words in [["diff", "-f", path, "--word"], ["diff", "-f", path]] {
                let same = world.run(words)
                #expect(same.code == 0 && same.output == "", "\(same.text)")
            }
            let made = world.write("new.yaml", World.agent("new", "x"))
            #expect(world.run("diff", "-f", made, "--word").output.contains("{+  name: new+}\n"))
            #expect(world.run("diff", "-f", "/no/such", "--word").code == 3)
        }
    }
}
