import Testing
import Values
import agentos_apply

/// What a person sees of a plan.
@Suite struct PlanTextTests {
    private static let plan = """
        {"changes": [
          {"action":"create","kind":"ConfigMap","namespace":"team-a","name":"settings","declaredAt":"fleet.yaml:1",
           "differences":[{"path":"data.url","to":"https://example.com/a/rather/long/path/of/a/service"},
                          {"path":"data.mark","to":"a\\u001b[31mb"}]},
          {"action":"create","kind":"Agent","namespace":"team-a","name":"web","declaredAt":"fleet.yaml:5",
           "differences":[{"path":"spec.command","to":["sleep","1000"]},{"path":"spec.replicas","to":5}],
           "effects":[{"start":0},{"start":1},{"start":2},{"start":4}],
           "waits":{"reason":"InsufficientResources","message":"cpu: 500m requested, 20m free"}},
          {"action":"change","kind":"Agent","namespace":"team-a","name":"api","declaredAt":"fleet.yaml:12",
           "differences":[{"path":"spec.env[MODEL].value","from":"small","to":"large"},
                          {"path":"spec.workingDir","from":"/tmp"},
                          {"path":"spec.env[KEY].value","to":""}],
           "restarts":["spec.env","spec.workingDir"],"outdated":3,
           "effects":[{"stop":2,"reason":"Replaced"}]},
          {"action":"keep","kind":"Agent","namespace":"team-a","name":"same"},
          {"action":"delete","kind":"Agent","namespace":"team-a","name":"old",
           "why":"no longer declared; it was at old.yaml:1","effects":[{"stop":0,"reason":"Deleted"}]},
          {"action":"follow","kind":"Agent","namespace":"team-a","name":"reader","effects":[{"start":0}],
           "why":"it has waited: ConfigMap \\"settings\\" does not exist"}]}
        """

    private func text(_ columns: Int?, hasColor: Bool, _ json: String = plan) throws -> String {
        PlanText(columns: columns, hasColor: hasColor).text(PlanView(try #require(JSONReader.read(json))))
    }

    @Test(arguments: [200, nil]) func aPlanIsGroupedAndCounted(_ columns: Int?) throws {
        #expect(
            try text(columns, hasColor: false) == """
                To create (2):
                  + configmap team-a/settings  fleet.yaml:1
                      + data.url: https://example.com/a/rather/long/path/of/a/service
                      + data.mark: "a\\u001b[31mb"
                  + agent team-a/web  fleet.yaml:5
                      + spec.command: ["sleep","1000"]
                      + spec.replicas: 5
                      starts replicas 0-2, 4 at once
                      waits: cpu: 500m requested, 20m free

                To change (1):
                  ~ agent team-a/api  fleet.yaml:12
                      ~ spec.env[MODEL].value: small → large
                      - spec.workingDir: /tmp
                      + spec.env[KEY].value: ""
                      restarts 3 replicas, because of spec.env, spec.workingDir
                      stops replica 2 at once

                To delete (1):
                  - agent team-a/old
                      because no longer declared; it was at old.yaml:1
                      stops replica 0 at once

                Follows from it (1):
                  > agent team-a/reader
                      because it has waited: ConfigMap "settings" does not exist
                      starts replica 0 at once

                Plan: 2 to create, 1 to change (1 restarts), 1 to delete; 5 replicas to start; 1 to wait

                """)
    }

    /// A narrow terminal cuts, and does not wrap.
    @Test func linesAreNoLongerThanTheTerminal() throws {
        let narrow = try text(60, hasColor: false)
        #expect(narrow.split(separator: "\n").allSatisfy { $0.count <= 60 })
        #expect(narrow.contains("      + data.url: https://example.com/a/rather/long/path/of…\n"))
        #expect(narrow.contains("Plan: 2 to create, 1 to change (1 restarts), 1 to delete; 5…\n"))
    }

    @Test func signsAreColouredOnATerminal() throws {
        let short = """
            {"changes":[{"action":"change","kind":"Agent","namespace":"a","name":"b","declaredAt":"f:1",
              "differences":[{"path":"x","from":1,"to":2},{"path":"y","from":1},{"path":"z","to":true}],
              "effects":[{"freeze":0}]}]}
            """
        let lines = [
            "To change (1):", "\u{1b}[33m  ~ agent a/b  f:1\u{1b}[0m", "\u{1b}[33m      ~ x: 1 → 2\u{1b}[0m",
            "\u{1b}[31m      - y: 1\u{1b}[0m", "\u{1b}[32m      + z: true\u{1b}[0m",
            "\u{1b}[36m      freezes replica 0 at once\u{1b}[0m", "",
            "\u{1b}[1mPlan: 0 to create, 1 to change, 0 to delete\u{1b}[0m", "",
        ]
        for columns in [60, 200] {
            #expect(try text(columns, hasColor: true, short) == lines.joined(separator: "\n"))
        }
    }

    @Test func withoutChangesOnlyTheCountIsShown() throws {
        let same = #"{"changes":[{"action":"keep","kind":"Agent","namespace":"a","name":"b"}]}"#
        #expect(try text(60, hasColor: false, same) == "Plan: 0 to create, 0 to change, 0 to delete\n")
    }
}
