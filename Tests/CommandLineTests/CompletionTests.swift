import Manifests
import Support
import Testing
import agentos_apply

/// What shells are told, and the manual pages.
@Suite(.serialized) struct CompletionTests {
    private func words(_ line: String...) -> [String] {
        guard case .candidates(let found) = Completer(line).wanted else { return ["(other)"] }
        return found.map(\.word)
    }

    @Test func verbsOptionsAndValuesAreCompleted() {
        #expect(words("res") == ["resume", "restart", "restore"])
        #expect(words("-n", "team", "descr") == ["describe"])
        #expect(words("get", "age") == ["agent"])
        #expect(words("get", "agents", "-o", "") == ["table", "wide", "yaml", "json", "name"])
        #expect(words("get", "agents", "--output=j") == ["--output=json"])
        #expect(words("logs", "--si") == ["--since", "--since-time"])
        #expect(words("rollout", "re") == ["resume", "restart"])
        #expect(words("completion", "") == ["bash", "zsh", "fish"])
        #expect(words("fly", "x") == [])
        #expect(words("logs", "a", "--tail", "") == [])
    }

    @Test func namesAndFilesAreAskedFor() {
        let table: [([String], Completer.Wanted)] = [
            (["get", "agents", ""], .names(.agent, namespace: "default", prefix: "")),
            (["-n", "team", "describe", "cm", "a", ""], .names(.configMap, namespace: "team", prefix: "")),
            (["delete", "secret/a"], .names(.secret, namespace: "default", prefix: "secret/")),
            (["logs", ""], .names(.agent, namespace: "default", prefix: "")),
            (["suspend", "source", ""], .names(.source, namespace: "default", prefix: "")),
            (["rollout", "status", "--namespace=x", ""], .names(.agent, namespace: "x", prefix: "")),
            (["get", "agents", "-n", ""], .names(.namespace, namespace: nil, prefix: "")),
            (["get", "agents", "--namespace=t"], .names(.namespace, namespace: nil, prefix: "--namespace=")),
            (["get", "ns", ""], .names(.namespace, namespace: nil, prefix: "")), (["-f", ""], .files),
            (["exec", "one", ""], .files), (["validate", ""], .files),
        ]
        for (words, wanted) in table { #expect(Completer(words).wanted == wanted, "\(words)") }
    }

    @Test func bashCutsWordsAtEquals() {
        let (words, cut) = Shell.bash.joined(["get", "agents", "--output", "=", "js"])
        #expect(words == ["get", "agents", "--output=js"] && cut == 9)
        #expect(Shell.bash.joined(["get", "--output", "="]).words == ["get", "--output="])
        #expect(Shell.zsh.joined(["a", "=", "b"]).words == ["a", "=", "b"])
        #expect(Shell.zsh.line(Completer.Candidate("a:b", "c")) == "a\\:b:c")
        #expect(Shell.fish.line(Completer.Candidate("a", "c")) == "a\tc")
    }

    /// The real shell with the real script, and names from the daemon.
    @Test func bashCompletesWithItsScript() {
        inWorld { world in
            world.startDaemon()
            for name in ["front", "from", "other"] { world.run("create", "cm", name) }
            world.run("create", "ns", "team")
            func complete(_ words: String...) -> [String] { complete(words) }
            func complete(_ words: [String]) -> [String] {
                let quoted = words.map { "'\($0)'" }.joined(separator: " ")
                let script = """
                    source <(\(World.program) completion bash)
                    COMP_WORDS=(\(World.program) \(quoted)); COMP_CWORD=\(words.count)
                    _agentos_apply; printf '%s\\n' "${COMPREPLY[@]}"
                    """
                return world.spawn(["/bin/bash", "-c", script]).output.split(separator: "\n")
                    .map(String.init)
            }
            // A key waits for the daemon for a moment only: a machine with much to do may need another.
            for (words, found) in [
                (["get", "cm", "fr"], ["from", "front"]), (["get", "cm/o"], ["cm/other"]),
                (["get", "agents", "-n", "te"], ["team"]),
            ] { World.until("\(words) is completed") { complete(words) == found } }
            #expect(complete("get", "agents", "--output", "=", "y") == ["yaml"])
            #expect(complete("-f", "\(world.directory)/sta") == ["\(world.directory)/state"])
            world.killDaemon()
            #expect(complete("get", "cm", "fr") == [])
            let silent = world.run("__complete", "bash", "get", "cm", "fr")
            #expect(silent.code == 0 && silent.text == "exit 0\n", "\(silent.text)")
            #expect(world.run("completion", "tcsh").code == 64)
            #expect(world.run("__complete", "tcsh", "x").text == "exit 0\n")
            for shell in Shell.allCases {
                #expect(world.run("completion", shell.rawValue).output == shell.script)
            }
        }
    }

    private func page(of name: String) -> String { Verbs.named(name).map(ManualPage.page) ?? "" }

    @Test func manualPagesAreMadeOfTheDescription() {
        let page = self.page(of: "wait")
        #expect(page.hasPrefix(".TH \"AGENTOS\\-APPLY\\-WAIT\" 1 "))
        #expect(page.contains(".SH SYNOPSIS\n.B agentos\\-apply\nwait \\-\\-for CONDITION KIND NAME...\n"))
        #expect(
            page.contains(
                ".TP\n\\fB\\-n\\fR, \\fB\\-\\-namespace\\fR \\fINAME\\fR\nnamespace (default: default)\n"))
        #expect(page.contains(".TP\n.B 6\nfailed for good\n"))
        for (name, text) in ManualPage.all {
            for line in text.split(separator: "\n") {
                #expect(line.utf8.allSatisfy { $0 < 0x80 }, "\(name): \(line)")
                let known = [".TH ", ".SH ", ".TP", ".B ", ".BR "]
                #expect(!line.hasPrefix(".") || known.contains(where: line.hasPrefix), "\(name): \(line)")
                #expect(!line.hasPrefix("'"), "\(name): \(line)")
            }
        }
        inWorld { world in
            let written = world.run("help", "--man-pages", world.directory)
            #expect(written.code == 0, "\(written.text)")
            #expect(World.read("\(world.directory)/agentos-apply-get.1") == self.page(of: "get"))
            #expect(World.names(world.directory).filter { $0.hasSuffix(".1") }.count == Verbs.all.count + 1)
            #expect(world.run("help", "--man", "get").output == self.page(of: "get"))
            #expect(world.run("help", "gte").code == 64)
            #expect(world.run("help", "--man-pages", "/no/such").code == 1)
        }
    }
}
