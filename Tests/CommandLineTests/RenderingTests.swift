import Manifests
import Testing
import Values
import agentos_apply

/// What a person sees.
@Suite struct RenderingTests {
    private static let agent = """
        {"metadata":{"name":"coder","namespace":"team-a","creationTimestamp":"1970-01-01T00:00:00Z"},
         "spec":{"driver":"process"},
         "status":{"phase":"BackingOff","readyReplicas":1,"replicas":2,"restarts":7,"revision":3,
                   "runs":[{"pid":12},{"pid":34}],"conditions":[{"type":"Ready","message":"1 of 2"}]}}
        """

    private func table(_ kind: Kind, _ json: String, isWide: Bool, hasColor: Bool) throws -> String {
        let object = ObjectView(try #require(JSONReader.read(json)))
        let table = ObjectTable(kind, isWide: isWide, withNamespace: true, nowMs: 7_200_000)
        return Table(table.header, [table.cells(object)], hasColor: hasColor).text()
    }

    @Test func aTableIsPlainAwayFromATerminal() throws {
        #expect(
            try table(.agent, Self.agent, isWide: true, hasColor: false) == """
                NAMESPACE  NAME   DRIVER   READY  PHASE       RESTARTS  AGE  REVISION  PIDS   REASON
                team-a     coder  process  1/2    BackingOff  7         2h   3         12,34  1 of 2

                """)
    }

    @Test func aTableIsColouredOnATerminalAndAsWide() throws {
        #expect(
            try table(.agent, Self.agent, isWide: false, hasColor: true) == """
                NAMESPACE  NAME   DRIVER   READY  PHASE       RESTARTS  AGE
                team-a     coder  process  1/2    \u{1b}[31mBackingOff\u{1b}[0m  7         2h

                """)
    }

    @Test func anAgentIsDescribedInFull() throws {
        let agent = """
            {"metadata":{"name":"coder","namespace":"team-a","uid":"u1","generation":2,"labels":{"a":"b","c":"d"},
                         "creationTimestamp":"1970-01-01T00:00:00Z"},
             "spec":{"driver":"process","command":["sh","-c"],"args":["first line\\nsecond"]},
             "status":{"phase":"Ready","readyReplicas":1,"replicas":1,
                       "runs":[{"ordinal":0,"phase":"Ready","pid":12,"restarts":1,"readyAt":"1970-01-01T01:00:00Z",
                                "lastExit":{"reason":"Error","code":3,"message":"exited with code 3"}}],
                       "conditions":[{"type":"Ready","status":"True","reason":"AllReplicasReady",
                                      "lastTransitionTime":"1970-01-01T01:00:00Z","message":"1 of 1\\nand more"}]}}
            """
        let event = """
            {"event_type":"run.failed","occurred_at":"1970-01-01T01:00:00Z","run_id":"u1-00000-0000000002",
             "data":{"reason":"Error","exitCode":3}}
            """
        let description = Description(.agent, nowMs: 7_200_000, hasColor: false)
        #expect(
            description.text(
                ObjectView(try #require(JSONReader.read(agent))),
                [EventView(node: try #require(JSONReader.read(event)))]) == """
                    Name:          coder
                    Namespace:     team-a
                    Labels:        a=b, c=d
                    UID:           u1
                    Generation:    2
                    Age:           2h
                    Driver:        process
                    Command:       sh -c first line
                    Phase:         Ready
                    Replicas:      1 of 1 ready

                    Conditions:
                      TYPE   STATUS  REASON            SINCE  MESSAGE
                      Ready  True    AllReplicasReady  60m    1 of 1

                    Runs:
                      ORDINAL  PHASE  PID  RESTARTS  READY  LAST EXIT
                      0        Ready  12   1         60m    Error, code 3, exited with code 3

                    Events:
                      AGE  TYPE        RUN  REASON
                      60m  run.failed  0/2  Error, code 3

                    """)
    }

    @Test func eachKindHasAsManyCellsAsColumns() {
        for kind in Kind.allCases {
            for isWide in [false, true] {
                let table = ObjectTable(kind, isWide: isWide, withNamespace: true, nowMs: 0)
                #expect(table.cells(ObjectView(.emptyMap)).count == table.header.count, "\(kind)")
            }
        }
    }

    @Test(arguments: [
        (nil, "<unknown>"), ("x", "<unknown>"), ("1970-01-01T00:00:05Z", "0s"), ("1970-01-01T00:00:00Z", "1s"),
        ("1969-12-31T23:58:02Z", "119s"), ("1969-12-31T23:58:01Z", "2m"), ("1969-12-31T22:00:01Z", "2h"),
        ("1969-12-30T00:00:01Z", "2d"),
    ]) func agesAreShort(timestamp: String?, expected: String) {
        #expect(Age.text(timestamp, nowMs: 1000) == expected)
    }

    @Test(arguments: [
        ([:], "x configured"), (["agentos-result": "created"], "x created (dry run)"),
        (
            ["agentos-result": "configured", "agentos-restarts": "spec.env,spec.command"],
            "x configured (restarts its replicas: spec.env, spec.command changed)"
        ),
        (
            ["agentos-result": "created", "agentos-waits": "agent%20db%20is%20not%20Ready"],
            "x created (waits: agent db is not Ready) (dry run)"
        ),
    ]) func whatApplyingDidIsOneLine(headers: [String: String], line: String) {
        #expect(ApplyResult(headers).line("x", isDryRun: line.hasSuffix("(dry run)")) == line)
    }
}
