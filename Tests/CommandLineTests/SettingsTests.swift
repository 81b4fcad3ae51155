import Glibc
import Support
import Testing
import agentos_apply

@Suite struct SettingsTests {
    private func file(_ text: String) throws -> SettingsFile { try SettingsFile(Array(text.utf8), path: "d.yaml") }

    private func resolve(
        _ text: String = "", environment: [String: String] = [:], options: [String: [String]] = [:]
    ) throws -> Settings {
        try ResolvedSettings(file: file(text), environment: { environment[$0] }, options: options).settings
    }

    @Test func optionsWinOverTheEnvironmentAndThatOverTheFile() throws {
        let text = "runscPlatform: systrap\nhostPaths: [/a, /b/]\nstateDirectory: /var/x\n"
        let variables = ["AGENTOS_RUNSC_PLATFORM": "kvm", "AGENTOS_HOST_PATH": "/c:/d"]
        #expect(try resolve() == Settings())
        let fromFile = try resolve(text)
        #expect(fromFile.runscPlatform == "systrap" && fromFile.hostPaths == ["/a", "/b"])
        #expect(fromFile.stateDirectory == "/var/x")
        let fromVariables = try resolve(text, environment: variables)
        #expect(fromVariables.runscPlatform == "kvm" && fromVariables.hostPaths == ["/c", "/d"])
        let fromOptions = try resolve(
            text, environment: variables, options: ["runsc-platform": ["ptrace"], "host-path": ["/e"]])
        #expect(fromOptions.runscPlatform == "ptrace" && fromOptions.hostPaths == ["/e"])
        #expect(fromOptions.stateDirectory == "/var/x")
    }

    @Test(arguments: [
        ("hostPath: /a\n", "d.yaml:1:1: hostPath: unknown field; did you mean \"hostPaths\"?"),
        ("hostPaths: /a\n", "d.yaml:1:12: hostPaths: expected a list, found \"/a\""),
        ("\nhostPaths: [a]\n", "d.yaml:2:12: hostPaths: \"a\" is no absolute path"),
        ("runsc: 3\n", "d.yaml:1:8: runsc: expected a string, found 3; put it in quotes"),
        ("runscPlatform: kmv\n", "d.yaml:1:16: runscPlatform: expected ptrace or systrap, found \"kmv\""),
        ("bridgeSubnet: 10.0.0.0/99\n", "d.yaml:1:15: bridgeSubnet: expected a network such as"),
        ("logFormat: yaml\n", "d.yaml:1:12: logFormat: expected text, json; found \"yaml\""),
        ("sourceNamespaces: [x]\n", "d.yaml:1:19: sourceNamespaces: expected NAMESPACE/NAME=NAMESPACE"),
        ("- a\n", "d.yaml:1:1: expected a map, found a list"), ("{}\n---\n{}\n", "expected one document"),
        ("runsc: a\nrunsc: b\n", "twice"),
    ]) func mistakesInTheFileHaveTheirPlace(text: String, message: String) {
        do {
            _ = try resolve(text)
            Issue.record("\(text) was taken")
        } catch let problem as CommandProblem {
            #expect(problem.code == .invalid && problem.message.contains(message), "\(problem)")
        } catch { Issue.record(error) }
    }

    @Test func mistakesElsewhereNameTheirVariableOrOption() {
        #expect(throws: CommandProblem(.usage, "AGENTOS_LOG_FORMAT: expected text, json; found \"x\"")) {
            try resolve(environment: ["AGENTOS_LOG_FORMAT": "x"])
        }
        #expect(throws: CommandProblem(.usage, "--host-path: \"a\" is no absolute path")) {
            try resolve(options: ["host-path": ["a"]])
        }
    }

    @Test func whatIsPrintedIsASettingsFileThatSaysTheSame() throws {
        let resolved = try ResolvedSettings(
            file: file("watch: [/srv/fleet]\nsourceNamespaces: ['*=*']\n"),
            environment: { $0 == "AGENTOS_RUNSC" ? "/usr/bin/runsc" : nil }, options: ["log-format": ["json"]])
        #expect(try resolve(resolved.text) == resolved.settings)
        #expect(resolved.text.contains("# d.yaml:1:8: watch\nwatch:"), "\(resolved.text)")
        #expect(resolved.text.contains("# AGENTOS_RUNSC\nrunsc: /usr/bin/runsc\n"))
        #expect(resolved.text.contains("# --log-format\nlogFormat: json\n"))
        #expect(resolved.text.contains("# default\nrunscPlatform: ptrace\n"))
        #expect(resolved.text.contains("# socket: not set\n"))
    }

    /// One table: every setting has an option of the daemon, and the other way round.
    @Test func everySettingIsAnOption() throws {
        let options = try Invocation(["daemon"]).options.map(\.description)
        for setting in Settings.table { #expect(options.contains { $0.name == setting.name }, "\(setting.name)") }
    }

    /// The page and the example file are made of the table: AGENTOS_WRITE_DOCUMENTS=1 writes them anew.
    @Test func everySettingIsDescribed() throws {
        for (path, text) in [
            ("Documentation/configuration.md", SettingsPage.page), ("Deploy/daemon.yaml", SettingsPage.example),
        ] {
            if getenv("AGENTOS_WRITE_DOCUMENTS") != nil, let file = fopen("\(World.root)/\(path)", "w") {
                fputs(text, file)
                fclose(file)
            }
            #expect(World.read("\(World.root)/\(path)") == text, "\(path)")
        }
        // Nothing is set in it, and each setting stands in it once.
        #expect(try resolve(SettingsPage.example) == Settings())
        let names = SettingsPage.example.split(separator: "\n").filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") }
            .map { $0.dropFirst().prefix { $0 != ":" } }
        #expect(names == Settings.table.map { Substring($0.field.name) } + ["sinks"])
    }

    @Test func whatARunningDaemonCanTakeIsKeptApart() throws {
        let before = try resolve("logFormat: text\nhostPaths: [/a]\n")
        let after = try resolve("logFormat: json\ntokenAuthFile: /t\nhostPaths: [/b]\nwatch: [/a]\n")
        #expect(after.differences(from: before, reloads: true) == ["logFormat", "tokenAuthFile"])
        #expect(after.differences(from: before, reloads: false) == ["hostPaths", "watch"])
        #expect(try resolve("tlsCertFile: /c\n").problem != nil && before.problem == nil)
    }

    @Test(arguments: [
        ("sinks: [{name: a}]", "d.yaml:1:9: sinks[0]: expected one of nats, webhook, file"),
        ("sinks: [{file: {path: /x}}]", "d.yaml:1:9: sinks[0].name: required field is missing"),
        ("sinks: [{name: journal, file: {path: /x}}]", "d.yaml:1:16: sinks[0].name: the journal is always there"),
        ("sinks: [{name: a, fil: {path: /x}}]", "sinks[0].fil: unknown field; did you mean \"file\"?"),
        ("sinks: [{name: a, file: {path: x}}]", "d.yaml:1:32: sinks[0].file.path: must be an absolute path"),
        ("sinks: [{name: a, types: [runs.*], file: {path: /x}}]", "sinks[0].types: no event has the type \"runs.*\""),
        ("sinks: [{name: a, labels: 'a in b', file: {path: /x}}]", "sinks[0].labels: the selector"),
        (
            "sinks:\n- {name: a, file: {path: /x}}\n- {name: a, file: {path: /y}}\n",
            "d.yaml:3:10: sinks[1].name: another sink has this name"
        ),
        ("sinks: [{name: a, file: {path: /x}, webhook: {url: 'https://x', secretFile: /s}}]", "expected one of"),
    ]) func mistakesOfSinksHaveTheirPlace(text: String, message: String) {
        do {
            _ = try resolve(text)
            Issue.record("\(text) was taken")
        } catch let problem as CommandProblem {
            #expect(problem.code == .invalid && problem.message.contains(message), "\(problem)")
        } catch { Issue.record(error) }
    }

    @Test func sinksAreReadAndPrinted() throws {
        let text = """
            sinks:
            - name: audit
              required: true
              types: [run.*, agent.created]
              namespaces: [team]
              labels: tier!=test
              file: {path: /var/log/events.jsonl}
            """
        let resolved = try ResolvedSettings(file: file(text), environment: { _ in nil })
        #expect(resolved.settings.sinks.count == 1)
        #expect(try resolve(resolved.text) == resolved.settings)
        #expect(resolved.text.contains("# d.yaml\nsinks:\n"), "\(resolved.text)")
        #expect(try resolve(text).differences(from: Settings(), reloads: true) == ["sinks"])
    }

    @Test func pathsFollowTheUserAndWhatIsGiven() throws {
        func paths(
            _ state: String? = nil, _ socket: String? = nil, isRoot: Bool = false, _ environment: [String: String] = [:]
        ) throws -> [String] {
            let paths = try Paths(state: state, socket: socket, isRoot: isRoot) { environment[$0] }
            return [paths.state, paths.socket]
        }
        #expect(try paths(isRoot: true) == ["/var/lib/agentos", "/run/agentos/agentos.sock"])
        #expect(
            try paths(nil, nil, isRoot: false, ["HOME": "/h"]) == [
                "/h/.local/state/agentos", "/h/.local/state/agentos/agentos.sock",
            ])
        #expect(
            try paths(nil, nil, isRoot: false, ["XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"]) == [
                "/s/agentos", "/r/agentos.sock",
            ])
        #expect(try paths("/x", nil, isRoot: true) == ["/x", "/x/agentos.sock"])
        #expect(try paths("/x", "/y", isRoot: true) == ["/x", "/y"])
        #expect(throws: CommandProblem.self) { try paths() }
        #expect(throws: CommandProblem.self) { try paths("/" + String(repeating: "x", count: 120)) }
    }

    @Test func aRuleOfASourceAllowsWhatItNames() {
        let rule = SourceRule("default/fleet=team-a,team-b")
        #expect(rule?.allows("default/fleet", "team-b") == true && rule?.allows("default/fleet", "team-c") == false)
        #expect(rule?.allows("default/other", "team-a") == false && SourceRule("*=*")?.allows("a/b", "c") == true)
        for text in ["", "x", "fleet=a", "default/fleet=", "a/b=c=d"] { #expect(SourceRule(text) == nil, "\(text)") }
    }
}
