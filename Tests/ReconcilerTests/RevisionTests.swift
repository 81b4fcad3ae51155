import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// What an agent is made of from one change that restarts to the next, and what a pause keeps as it is.
@Suite struct RevisionTests {
    private var house = House()
    private let key = ObjectKey.agent("one")

    private mutating func apply(_ spec: String, annotations: String = "{}") -> Answer.Applied? {
        let node = read(json: "{\"metadata\":{\"annotations\":\(annotations)},\"spec\":\(spec)}")
        return house.write(key, .apply(node, force: true))?.applied
    }

    private var agent: AgentState? { house[key]?.agent }
    private var progressing: Condition? { agent?.summary.condition(.progressing) }

    /// Runs everything that is to run.
    private mutating func settle() {
        for _ in 0..<10 {
            let runs = (agent?.replicas ?? []).compactMap { replica in
                replica.phase.isLive ? replica.phase.run?.id : nil
            }
            let seen = runs.map { ($0, Instance.running(pid: 7, startedAtMs: 5)) }
            house.take([
                .observed(
                    driver: "process", Dictionary(seen, uniquingKeysWith: { first, _ in first }), complete: true)
            ])
        }
    }

    private static let gate = #""consistency":{"readyRequires":"OutboxWritten"}"#

    @Test mutating func aPauseKeepsChangesBackAndItsEndLetsThemGo() {
        _ = apply(#"{"command":["a"],\#(Self.gate)}"#)
        settle()
        #expect(agent?.summary.isReady == true && agent?.revision == 1)
        let paused = apply(#"{"command":["b"],"env":[{"name":"X","value":"1"}],"paused":true,\#(Self.gate)}"#)
        #expect(paused?.restarts == [] && agent?.revision == 1)
        #expect(agent?.effective.spec.command == ["a"] && house[key]?.content[path: "spec", "command"] == ["b"])
        #expect(progressing?.reason == .pausedWithChanges && progressing?.status == true)
        #expect(progressing?.message == "paused is set; waiting: spec.command, spec.env")
        // What restarts nobody takes effect; new replicas are as those that are there.
        _ = apply(#"{"command":["b"],"replicas":2,"priority":5,"paused":true,\#(Self.gate)}"#)
        settle()
        #expect(agent?.replicas.map { $0.phase.run?.spec.command } == [["a"], ["a"]])
        #expect(agent?.effective.spec.priority == 5 && agent?.summary.isReady == true)
        // What is taken back waits no more.
        _ = apply(#"{"command":["a"],"replicas":2,"paused":true,\#(Self.gate)}"#)
        #expect(progressing?.reason == .paused && progressing?.message == "paused is set; no change waits")
        _ = apply(#"{"command":["b"],"replicas":2,"paused":true,\#(Self.gate)}"#)
        let resumed = apply(#"{"command":["b"],"replicas":2,\#(Self.gate)}"#)
        #expect(resumed?.restarts == ["spec.command"] && agent?.revision == 2)
        #expect(agent?.effective.spec.command == ["b"] && progressing?.reason == .working)
    }

    @Test mutating func aPauseHoldsARollWhereItIs() {
        _ = apply(#"{"command":["a"],"replicas":2,\#(Self.gate)}"#)
        settle()
        _ = apply(#"{"command":["b"],"replicas":2,\#(Self.gate)}"#)
        #expect(agent?.replicas.map(\.phase.name) == [.ready, .stopping])
        _ = apply(#"{"command":["b"],"replicas":2,"paused":true,\#(Self.gate)}"#)
        house.settle()
        // The one that was on its way is replaced, and no other.
        #expect(agent?.replicas.map { $0.phase.run?.revision } == [1, 2])
        #expect(progressing?.reason == .paused && agent?.summary.isReady == false)
    }

    @Test mutating func aRestartOfWhatIsPausedIsRefused() {
        _ = apply(#"{"command":["a"],"paused":true}"#)
        let node = read(json: #"{"metadata":{"annotations":{"agentos.dev/restarted-at":"now"}}}"#)
        let patch = Request.Write.Patch.merge((try? MergePatch(node)) ?? Self.empty)
        let refusal = house.write(key, .patch(patch))?.refusal
        #expect(refusal?.causes.first?.message.contains("spec.paused is set") == true, "\(String(describing: refusal))")
        #expect(agent?.revision == 1)
    }

    private static var empty: MergePatch {
        do { return try MergePatch(.emptyMap) } catch { preconditionFailure("an empty map is a patch") }
    }

    /// A row is written in the step that begins a revision, or says why, and in no other.
    @Test mutating func aRowFollowsFromTheChangeThatBeginsItsRevision() throws {
        func rows(_ spec: String, cause: String? = nil) -> [String] {
            let annotations = cause.map { "{\"kubernetes.io/change-cause\":\"\($0)\"}" } ?? "{}"
            let node = read(json: "{\"metadata\":{\"annotations\":\(annotations)},\"spec\":\(spec)}")
            let write = Request.Write.apply(
                key: key, node: node, manager: "test", force: true, dryRun: false, source: "",
                freshUID: UID(high: 7, low: 7))
            let step = house.take([.request(Request(id: 1, principal: house.principal, verb: .write(write)))])
            return step.changes.revisions.map {
                "\($0.number) \($0.user ?? "") \($0.cause ?? "-") \(JSONWriter.text($0.template["command"] ?? .emptyMap))"
            }
        }
        #expect(rows(#"{"command":["a"]}"#) == [#"1 test - ["a"]"#])
        #expect(rows(#"{"command":["a"],"replicas":3}"#).isEmpty)
        #expect(rows(#"{"command":["b"]}"#, cause: "why") == [#"2 test why ["b"]"#])
        #expect(rows(#"{"command":["b"]}"#, cause: "since") == [#"2 test since ["b"]"#])
        #expect(rows(#"{"command":["c"],"paused":true}"#, cause: "since").isEmpty)
        #expect(rows(#"{"command":["c"]}"#, cause: "since") == [#"3 test since ["c"]"#])
    }

    @Test func anUndoIsWhatBringsTheTemplateBack() throws {
        let agent = read(
            json: #"""
                {"metadata":{"annotations":{"kubernetes.io/change-cause":"new","x":"y"}},"spec":{"driver":"process",
                "replicas":3,"command":["b"],"env":[{"name":"X","value":"1"}],
                "resources":{"limits":{"cpu":"1","memory":"1Gi"}}}}
                """#)
        let template = read(
            json: #"{"driver":"process","command":["a"],"resources":{"limits":{"cpu":"2"}},"args":["x"]}"#)
        let patch = try #require(AgentSpec.undoing(agent, to: template, cause: nil))
        #expect(
            patch
                == read(
                    json: #"""
                        {"metadata":{"annotations":{"kubernetes.io/change-cause":null}},"spec":{"command":["a"],"args":["x"],
                        "resources":{"limits":{"cpu":"2","memory":null}},"env":null}}
                        """#))
        let back = try MergePatch(patch).applied(to: agent)
        #expect(AgentSpec.template(of: back["spec"] ?? .emptyMap) == template && back[path: "spec", "replicas"] == 3)
        #expect(back[path: "metadata", "annotations"] == read(json: #"{"x":"y"}"#))
        #expect(AgentSpec.undoing(back, to: template, cause: "other") == nil)
    }
}
