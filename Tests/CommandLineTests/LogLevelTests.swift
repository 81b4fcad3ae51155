import Loop
import Support
import Testing
import Values

@testable import agentos_apply

/// The log of the daemon: which lines, in which form, and what is never in them.
@Suite struct LogLevelTests {
    private static func lines(_ world: World) -> [Node] {
        world.log.split(separator: "\n").map { JSONReader.read(String($0)) ?? .text("no JSON: \($0)") }
    }

    @Test func levelsOfModulesChangeWhileTheDaemonRuns() {
        inWorld { world in
            func configure(_ more: String) -> String { world.write("d.yaml", "logFormat: json\n\(more)") }
            let config = configure("")
            #expect(world.run("daemon", "start", "--config", config).code == 0, "\(world.log)")
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(!Self.lines(world).contains { $0["level"] == "debug" })
            _ = configure("logModules: [drivers=debug, access=error]\n")
            let reload = world.run("daemon", "reload")
            #expect(reload.output.contains("logModules"), "\(reload.text)")
            world.apply(World.agent("two", World.stays), "--wait")
            World.until("the driver's work is told of") {
                Self.lines(world).contains {
                    $0["module"] == "drivers" && $0["level"] == "debug" && $0["message"] == "operation done"
                        && $0["operation"] == "start"
                }
            }
            #expect(!Self.lines(world).contains { $0["level"] == "debug" && $0["module"] != "drivers" })
            _ = configure("logLevel: error\n")
            world.run("daemon", "reload")
            let count = Self.lines(world).count
            world.apply(World.agent("three", World.stays), "--wait")
            #expect(Self.lines(world).count <= count + 1, "the reload itself may be told of")
        }
    }

    @Test func everyLineHasItsFieldsAndNoSecret() {
        inWorld { world in
            let config = world.write("d.yaml", "logFormat: json\nlogLevel: debug\n")
            #expect(world.run("daemon", "start", "--config", config).code == 0, "\(world.log)")
            let secret = "canary-of-a-secret"
            world.apply(
                "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: \(secret)}\n"
                    + World.agent(
                        "one", World.stays,
                        "env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: password}}}]"
                    ), "--wait")
            world.apply(World.agent("bad", "exit 3"))
            World.until("it has failed") { world.runOf("bad")?["lastExit"] != nil }
            let lines = Self.lines(world)
            for line in lines {
                for field in LogLine.required { #expect(line[field]?.string?.isEmpty == false, "\(line)") }
                #expect(LogModule(rawValue: line["module"]?.string ?? "") != nil, "\(line)")
                #expect(LogLevel(rawValue: line["level"]?.string ?? "") != nil, "\(line)")
                if line["message"] == "request answered" { #expect(line["trace"]?.string?.count == 32, "\(line)") }
            }
            for module in ["api", "store", "drivers"] {
                #expect(lines.contains { $0["module"]?.string == module && $0["level"] == "debug" }, "\(module)")
            }
            #expect(!world.log.contains(secret) && !world.log.contains("the-daemons-own-environment"))
        }
    }

    @Test func aModulesLevelWinsOverThatOfAll() throws {
        var settings = Settings()
        settings.logLevel = "error"
        settings.logModules = ["store=debug", "api=info", "store=info"]
        let rules = LogRules(settings)
        #expect(rules.admits(.store, .info) && !rules.admits(.store, .debug), "the last word wins")
        #expect(rules.admits(.api, .error) && !rules.admits(.api, .debug))
        #expect(rules.admits(.sinks, .error) && !rules.admits(.sinks, .info))
        for word in ["store", "store=", "store=loud", "shop=info", "=debug", "a=b=c", ""] {
            #expect(throws: Mistake.self) { try SettingRules.logModule(word) }
        }
    }

    @Test func aLineIsTextOrJSON() {
        let line = LogLine(.drivers, .error, "operation failed", [("error", "a \"b\"\n")], trace: "t")
        let time = "1970-01-01T00:00:00.001Z"
        #expect(
            line.text(.text, atMs: 1) == "\(time) error drivers: operation failed error=\"a \\\"b\\\"\\n\" trace=\"t\"")
        #expect(
            line.text(.json, atMs: 1)
                == #"{"time":"\#(time)","level":"error","module":"drivers","message":"operation failed","#
                + #""error":"a \"b\"\n","trace":"t"}"#)
    }
}
