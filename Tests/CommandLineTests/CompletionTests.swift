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

    /// Fish and its script, which needs no terminal.
    @Test(.enabled(if: World.isExecutable("/usr/bin/fish"), "no fish: scripts/setup --tests"))
    func fishCompletesWithItsScript() {
        inWorld { world in
            world.startDaemon()
            for name in ["front", "from", "other"] { world.run("create", "cm", name) }
            func complete(_ line: String) -> [String] {
                let script = """
                    set PATH \(World.programs) $PATH
                    agentos-apply completion fish | source
                    complete -C "agentos-apply \(line)"
                    """
                return world.spawn(["/usr/bin/fish", "--no-config", "-c", script]).output
                    .split(separator: "\n").map(String.init)
            }
            #expect(complete("get cm fr") == ["from", "front"])
            #expect(complete("get agents --output=ya") == ["--output=yaml"])
            #expect(complete("rollout his").map { $0.prefix { $0 != "\t" } } == ["history"])
            #expect(complete("-f \(world.directory)/sta") == ["\(world.directory)/state/"])
        }
    }

    /// Zsh completes on a terminal only: a word is begun, the key is pressed, and the rest of it appears.
    @Test(.enabled(if: World.isExecutable("/usr/bin/zsh"), "no zsh: scripts/setup --tests"))
    func zshCompletesWithItsScript() {
        inWorld { world in
            world.startDaemon()
            for name in ["front", "other"] { world.run("create", "cm", name) }
            let code = """
                import os, pty, select, sys, time
                pid, fd = pty.fork()
                if pid == 0:
                    os.environ.update(TERM="dumb", PATH=sys.argv[1] + ":" + os.environ["PATH"])
                    os.execv("/usr/bin/zsh", ["zsh", "-f", "-i"])
                said = b""
                def until(what, seconds=60):
                    global said
                    end = time.monotonic() + seconds
                    while what not in said:
                        if time.monotonic() > end: sys.exit(f"no {what!r} in {said!r}")
                        if select.select([fd], [], [], 0.1)[0]: said += os.read(fd, 4096)
                    said = said.split(what, 1)[1]
                def write(text): os.write(fd, text.encode())
                write("PS1='rdy%(!.#.#) '; bindkey '^I' complete-word\\n")
                until(b"rdy# ")
                write("autoload -Uz compinit; compinit -u -D; source <(agentos-apply completion zsh); print rea''dy\\n")
                until(b"ready")
                until(b"rdy# ")
                for begun, rest in zip(sys.argv[2::2], sys.argv[3::2]):
                    write(f"agentos-apply {begun}\\t")
                    until(rest.encode())
                    write("\\x15print do''ne\\n")
                    until(b"done")
                    until(b"rdy# ")
                print("all")
                """
            world.write("zebra-quux", "")
            let result = world.spawn(
                [
                    "python3", "-c", code, World.programs, "get cm fr", "ont", "get agents --output=ya", "ml",
                    "rollout his", "tory", "-f \(world.directory)/zebra-q",
                    "uux",
                ], timeoutMs: 300_000)
            #expect(result.output == "all\n", "\(result.text)")
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
