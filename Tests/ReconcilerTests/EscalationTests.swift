import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// A process that names its user is that user of the machine: who decides what it runs could be him.
@Suite struct EscalationTests {
    private var house: House
    private let key = ObjectKey.agent("root")
    private static let box = DriverCapabilities(
        name: "box", program: .image, usualNetwork: .none, hasOwnUsers: true, features: Set(AgentFeature.allCases))
    private static let process = DriverCapabilities(
        name: "process", program: .command(why: "it has to"), usualNetwork: .host, hasOwnUsers: false,
        features: Set(AgentFeature.allCases))
    private static let refusal = Refusal.forbidden(.agent("root"), .machineUser(user: "mallory"))

    init() {
        house = House(EngineSettings(drivers: DriverTable([Self.process, Self.box])))
        house.principal = .master
        for (name, verbs) in [("escalators", #"["escalate"]"#)] {
            let rules = #"[{"apiGroups":["agentos.dev"],"resources":["agents"],"verbs":\#(verbs)}]"#
            let role = ObjectKey(.role, namespace: "default", name: name)
            house.write(role, .create(read(json: #"{"rules":\#(rules)}"#)))
            let binding = ObjectKey(.roleBinding, namespace: "default", name: name)
            house.write(
                binding,
                .create(
                    read(
                        json: """
                            {"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"trusted"}],
                             "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"\(name)"}}
                            """)))
        }
    }

    private static let spec = #"""
        {"spec":{"command":["run","it"],"env":[{"name":"TEAM","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['team']"}}}],
         "securityContext":{"runAsUser":0},"suspend":true}}
        """#

    private mutating func write(
        as user: String, _ operation: Request.Write.Operation, to part: Request.Write.Subresource = .none
    ) -> Answer? {
        house.principal = user == "root" ? .master : Principal(user: user, via: .token)
        return house.write(key, operation, to: part)
    }

    private mutating func merge(as user: String, _ text: String) throws -> Answer? {
        write(as: user, .patch(.merge(try MergePatch(read(json: text)))))
    }

    @Test mutating func nobodyElseMakesOne() throws {
        for operation in [
            Request.Write.Operation.create(read(json: Self.spec)), .apply(read(json: Self.spec), force: true),
        ] {
            #expect(write(as: "mallory", operation)?.refusal == Self.refusal)
        }
        #expect(house[key] == nil)
        #expect(write(as: "trusted", .create(read(json: Self.spec)))?.applied != nil)
    }

    /// Everything that decides what runs, with which rights, and where.
    @Test(arguments: [
        #"{"spec":{"command":["other"]}}"#, #"{"spec":{"args":["-c","id"]}}"#,
        #"{"spec":{"env":[{"name":"LD_PRELOAD","value":"/tmp/x.so"}]}}"#,
        #"{"spec":{"envFrom":[{"configMapRef":{"name":"mine"}}]}}"#, #"{"spec":{"workingDir":"/tmp"}}"#,
        #"{"spec":{"securityContext":{"runAsUser":1}}}"#, #"{"spec":{"securityContext":{"runAsGroup":0}}}"#,
        #"{"spec":{"readinessProbe":{"exec":{"command":["id"]}}}}"#,
        #"{"spec":{"livenessProbe":{"exec":{"command":["id"]}}}}"#,
        #"{"spec":{"startupProbe":{"exec":{"command":["id"]}}}}"#, #"{"spec":{"filesystem":{"write":["/etc"]}}}"#,
        #"{"spec":{"volumes":[{"name":"a","hostPath":{"path":"/etc"}}],"volumeMounts":[{"name":"a","mountPath":"/a"}]}}"#,
        #"{"spec":{"image":"x"}}"#, #"{"spec":{"imageArchive":"/tmp/x.tar"}}"#,
        #"{"spec":{"network":{"mode":"None"}}}"#, #"{"spec":{"paused":true,"command":["other"]}}"#,
        #"{"spec":{"resources":{"limits":{"memory":"1Gi"}}}}"#, #"{"metadata":{"labels":{"team":"evil"}}}"#,
    ]) mutating func nobodyElseChangesWhatItRuns(_ text: String) throws {
        house.write(key, .create(read(json: Self.spec)))
        let before = try #require(house[key])
        #expect(try merge(as: "mallory", text)?.refusal == Self.refusal)
        #expect(write(as: "mallory", .apply(read(json: text), force: true))?.refusal == Self.refusal)
        let merged = try MergePatch(read(json: text)).applied(to: read(json: Self.spec))
        #expect(write(as: "mallory", .update(merged))?.refusal == Self.refusal)
        #expect(house[key] == before)
        #expect(try merge(as: "trusted", text)?.applied?.result == .configured)
    }

    /// What runs stays what somebody was allowed to declare.
    @Test(arguments: [
        #"{"spec":{"suspend":false}}"#, #"{"spec":{"priority":5}}"#, #"{"spec":{"replicas":2}}"#,
        #"{"metadata":{"labels":{"other":"x"},"annotations":{"agentos.dev/restarted-at":"b"}}}"#,
        #"{"spec":{"stopSignal":"SIGINT"}}"#,
        #"{"spec":{"securityContext":null}}"#,
    ]) mutating func whatRunsMayBeScaledAndEndedByOthers(_ text: String) throws {
        house.write(key, .create(read(json: Self.spec)))
        #expect(try merge(as: "mallory", text)?.applied?.result == .configured)
        #expect(write(as: "mallory", .update(read(json: #"{"spec":{"replicas":4}}"#)), to: .scale)?.applied != nil)
        #expect(write(as: "mallory", .update(read(json: #"{"status":{"mine":1}}"#)), to: .status)?.applied != nil)
        house.ask(.delete(key, graceMs: 0))
        #expect(house[key] == nil || house[key]?.deletion != nil)
    }

    @Test mutating func aMoveToTheMachineNeedsTheRight() throws {
        let boxed =
            #"{"spec":{"driver":"box","image":"x","command":["a"],"securityContext":{"runAsUser":0},"suspend":true}}"#
        #expect(write(as: "mallory", .create(read(json: boxed)))?.applied != nil, "a box has users of its own")
        #expect(try merge(as: "mallory", #"{"spec":{"command":["b"]}}"#)?.applied != nil)
        #expect(try merge(as: "mallory", #"{"spec":{"driver":"process","image":null}}"#)?.refusal == Self.refusal)
    }

    @Test mutating func commandsBesideItNeedTheRight() throws {
        house.write(key, .create(read(json: Self.spec)))
        _ = try merge(as: "root", #"{"spec":{"suspend":false}}"#)
        let run = try #require(house[key]?.agent?.replicas.first?.phase.run)
        house.take([
            .observed(driver: "process", [run.id: .running(pid: 7, startedAtMs: house.now.wallMs)], complete: false)
        ])
        func ask(_ user: String) -> Answer? {
            house.principal = Principal(user: user, via: .token)
            return house.ask(.execute(key, ordinal: 0, command: ["id"]))
        }
        #expect(ask("mallory")?.refusal == Self.refusal)
        guard case .execution? = ask("trusted") else {
            Issue.record("who may was refused")
            return
        }
    }
}
