import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// What users of Kubernetes and Nomad have sent by mistake, or on purpose: it is taken whole or refused, what is taken can
/// be read again, and nothing of it holds a deletion up but a finalizer. An agent waits for its driver, which is not here.
@Suite struct OddInputTests {
    static let bodies = [
        #"{"metadata":{"labels":null,"annotations":null}}"#, #"{"metadata":{"labels":{"":""}}}"#,
        #"{"metadata":{"annotations":{"a":null}}}"#, #"{"metadata":{"annotations":{"a":1}}}"#,
        #"{"metadata":{"finalizers":["a.b/c","a.b/c"]}}"#, #"{"metadata":{"finalizers":[null]}}"#,
        #"{"metadata":{"finalizers":"a.b/c"}}"#, #"{"metadata":{"finalizers":["foregroundDeletion"]}}"#,
        #"{"metadata":{"ownerReferences":[{}]}}"#, #"{"metadata":{"ownerReferences":{"kind":"Pod"}}}"#,
        #"{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"default","uid":"x"}]}}"#,
        #"{"metadata":{"managedFields":[{}]}}"#, #"{"metadata":{"managedFields":null}}"#,
        #"{"metadata":{"resourceVersion":1}}"#, #"{"metadata":{"resourceVersion":"-1"}}"#,
        #"{"metadata":{"uid":null,"generation":9e99,"deletionTimestamp":"never"}}"#, #"{"metadata":[]}"#,
        #"{"metadata":{"name":null}}"#, #"{"spec":null}"#, #"{"spec":[]}"#, #"{"spec":"x"}"#, #"{"spec":{}}"#,
        #"{"data":{"k":null}}"#, #"{"data":{"k":1}}"#, #"{"data":[]}"#, #"{"data":{"../k":"v"}}"#,
        #"{"status":null}"#, #"{"status":{"conditions":[{}]}}"#, #"{"status":"x"}"#, #"{"":{}}"#, "[]", "null", #""x""#,
        #"{"spec":{"replicas":-1}}"#, #"{"spec":{"replicas":1.5}}"#, #"{"spec":{"command":"sleep 1"}}"#,
        #"{"spec":{"command":["x"],"dependsOn":[{"name":"one"}]}}"#,
        #"{"spec":{"command":["x\u0000y"],"suspend":true}}"#,
        #"{"rules":[{}]}"#, #"{"subjects":null,"roleRef":{}}"#, #"{"kind":"List","items":[]}"#,
    ]

    @Test(arguments: Kind.allCases.filter { $0 != .agent }) mutating func oddInputsAreTakenWholeOrRefused(kind: Kind)
        throws
    {
        let key = ObjectKey(kind, namespace: kind.isNamespaced ? "default" : "", name: "one")
        var house = House()
        house.principal = .master
        for text in Self.bodies {
            let body = read(json: text)
            for operation in [
                Request.Write.Operation.create(body), .update(body), .apply(body, force: true),
                .patch(.json(try JSONPatch([.map([("op", "replace"), ("path", ""), ("value", body)])]))),
            ] {
                for part in Request.Write.Subresource.allCases {
                    let answer = house.write(key, operation, to: part)
                    #expect(answer?.applied != nil || answer?.refusal != nil, "\(text)")
                }
                guard let object = house[key] else { continue }
                #expect(JSONReader.read(JSONWriter.text(object.content)) == object.content, "\(text)")
            }
            house.ask(.delete(key, graceMs: 0))
            for _ in 0..<8 where !house.engine.isIdle { house.take([]) }
            guard let left = house[key] else { continue }
            #expect(!left.finalizers.isEmpty, "\(text): \(left.content)")
            let release = try MergePatch(read(json: #"{"metadata":{"finalizers":null}}"#))
            house.write(key, .patch(.merge(release)))
            #expect(house[key] == nil, "\(text)")
        }
        #expect(house.engine.isIdle && house[.agentNamespace]?.deletion == nil)
    }
}
