import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

/// `{"objects": [{"object": {…}, "declaredAt": "FILE:LINE"}]}` or `{"source": {"namespace", "name"}, "force"}`: what that would
/// change; with `standings` of an earlier plan and `perform` it is done, when things still stand as they did.
extension Server {
    func plan(_ call: Call) {
        do throws(Failure) {
            let asked = try PlanRequest(call, seal: accountTokens.seal)
            for attributes in asked.needs(loop.engine.state) {
                if !loop.engine.state.access.allows(call.principal, attributes) {
                    throw .forbidden(call.principal, attributes)
                }
            }
            let (principal, access) = (call.principal, loop.engine.state.access)
            let render: @Sendable (Answer) -> Result<[UInt8], Failure> = { answer in
                Self.document(answer, asked) { access.allows(principal, Attributes(.get, $0)) }
            }
            if asked.performs {
                loop.submit(actor: principal, trace: call.trace.id, .batch(asked.batch)) {
                    Self.answerPlan(call, render($0))
                }
            } else {
                loop.forecast(actor: principal, asked.batch, render: render) {
                    Self.answerPlan(call, $0 ?? .failure(.unavailable))
                }
            }
        } catch {
            call.fail(error)
        }
    }

    private static func answerPlan(_ call: Call, _ document: Result<[UInt8], Failure>) {
        switch document {
        case .success(let bytes): call.respond(200, json: [bytes])
        case .failure(let failure): call.fail(failure)
        }
    }

    private static func document(
        _ answer: Answer, _ asked: PlanRequest, mayShow: (ObjectKey) -> Bool
    ) -> Result<[UInt8], Failure> {
        switch answer {
        case .forecast(let forecast):
            let node = Node.map([
                ("kind", "Plan"), ("apiVersion", "agentos.dev/v1"),
                ("performed", asked.performs && !forecast.isRefused ? true : nil),
                ("changes", PlanDocument.changes(forecast, mayShow: mayShow)),
                ("seals", asked.seals.isEmpty ? nil : .strings(asked.seals)),
            ])
            return .success(JSONWriter.bytes(node))
        case .failure(let refusal): return .failure(Failure(refusal))
        case .applied, .deleted, .execution, .done, .kept: return .failure(.unavailable)
        }
    }
}

/// What is to be planned, or to be done as it was planned.
struct PlanRequest: Sendable {
    let batch: Request.Batch
    let performs: Bool
    /// Of each Secret, by its place: that it is the same later can be told without keeping it.
    private(set) var seals: [String: String] = [:]

    init(_ call: Call, seal: ([UInt8]) -> String) throws(Failure) {
        guard let body = try call.bodyObject("Plan") else { throw .badRequest("the body is empty") }
        let known = ["objects", "source", "force", "standings", "perform"]
        for entry in body.map?.entries ?? [] where !known.contains(entry.key) {
            throw .badRequest("unknown field \"\(entry.key)\": expected \(known.joined(separator: ", "))")
        }
        let force = body["force"]?.bool ?? false
        performs = body["perform"]?.bool ?? false
        let expected = try Self.standings(body["standings"])
        switch (body["objects"]?.list, body["source"]) {
        case (let objects?, nil):
            if objects.count > Limits.plannedObjectsMax {
                throw .badRequest("more than \(Limits.plannedObjectsMax) objects")
            }
            if performs, objects.count > Limits.performedObjectsMax {
                throw .badRequest(
                    "\(objects.count) objects are more than the \(Limits.performedObjectsMax) of one step, in which "
                        + "everybody waits; plan and apply parts of it, such as a directory each, or apply without a plan"
                )
            }
            var writes: [Request.Write] = []
            var keys: Set<ObjectKey> = []
            for (index, item) in objects.enumerated() {
                let write = try Self.write(item, index)
                if !keys.insert(write.key).inserted { throw .badRequest("objects[\(index)]: it stands twice") }
                if write.key.kind.traits.hidesData {
                    let made = seal(JSONWriter.bytes(item["object"] ?? .emptyMap))
                    seals["\(write.key.namespace)/\(write.key.name)"] = made
                    if let seal = item["seal"]?.string, seal != made {
                        throw Failure(
                            code: 409, reason: "Conflict",
                            message:
                                "\(write.source): the Secret is another than the one that was planned; make a new plan",
                            key: write.key)
                    }
                }
                writes.append(write)
            }
            batch = Request.Batch(.writes(writes), expected: expected)
        case (nil, let source?):
            guard let namespace = source["namespace"]?.string, let name = source["name"]?.string else {
                throw .badRequest("source: expected namespace and name")
            }
            let key = ObjectKey(.source, namespace: namespace, name: name)
            batch = Request.Batch(.sync(key, force: force), expected: expected)
        case (nil, nil), (.some, .some): throw .badRequest("expected either objects or source")
        }
    }

    private static func standings(_ node: Node?) throws(Failure) -> [Forecast.Standing]? {
        guard let node else { return nil }
        guard let list = node.list else { throw .badRequest("standings: expected a list") }
        var result: [Forecast.Standing] = []
        for (index, item) in list.enumerated() {
            guard let standing = PlanDocument.standing(item) else {
                throw .badRequest("standings[\(index)]: is not as this version writes it; make a new plan")
            }
            result.append(standing)
        }
        return result
    }

    private static func write(_ item: Node, _ index: Int) throws(Failure) -> Request.Write {
        let object = item["object"]
        guard let object, let kind = object["kind"]?.string.flatMap(Kind.init(rawValue:)),
            let name = object[path: "metadata", "name"]?.string
        else { throw .badRequest("objects[\(index)].object: expected kind and metadata.name") }
        let namespace = object[path: "metadata", "namespace"]?.string ?? (kind.isNamespaced ? "default" : "")
        let key = ObjectKey(kind, namespace: kind.isNamespaced ? namespace : "", name: name)
        let place = item["declaredAt"]?.string ?? ""
        if place.utf8.count > Limits.placeBytesMax {
            throw .badRequest("objects[\(index)].declaredAt: more than \(Limits.placeBytesMax) bytes")
        }
        var generator = SystemRandomNumberGenerator()
        return .apply(
            key: key, node: object, manager: Self.manager, force: true, dryRun: false,
            source: place, freshUID: UID(high: generator.next(), low: generator.next()))
    }

    private static let manager = "agentos-apply"

    // MARK: Rights

    /// What must be allowed: what the same would need done one by one.
    func needs(_ state: EngineState) -> [Attributes] {
        switch batch.change {
        case .writes(let writes):
            writes.flatMap { write in
                let patch = Attributes(.patch, write.key)
                return state.objects[write.key] == nil ? [patch, Attributes(.create, write.key)] : [patch]
            }
        case .sync(let key, _):
            [
                performs
                    ? Attributes(.create, key, subresource: "sync") : Attributes(.get, key, subresource: "preview")
            ]
        }
    }
}
