import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    func get(_ call: Call) {
        guard let (document, object) = find(call) else { return call.fail(.notFound(call)) }
        let representation = Representation(call)
        call.respond(200, json: [representation.single(bytes(document, of: object, representation))])
    }

    /// The whole object, with the values of a Secret.
    func text(_ object: PublishedObject) -> [UInt8] {
        object.text(loop.engine.state) { [loop] in JSONWriter.bytes(loop.engine.state.render($0)) }
    }

    func patch(_ call: Call) {
        do throws(Failure) {
            let apply = try application(call)
            loop.submit(actor: call.principal, .apply(apply)) { [loop] in call.reply($0, loop.engine.state) }
        } catch {
            call.fail(error)
        }
    }

    /// What a server-side apply asks for.
    private func application(_ call: Call) throws(Failure) -> Request.Apply {
        let key = call.key
        guard (call.exchange.header("Content-Type") ?? "").hasPrefix("application/apply-patch+yaml") else {
            let message = "only server-side apply is supported: Content-Type application/apply-patch+yaml"
            throw Failure(code: 415, reason: "UnsupportedMediaType", message: message)
        }
        guard let manager = call.parameters[Query.fieldManager], manager.utf8.count <= 128 else {
            let cause = Refusal.Cause(
                reason: .required, message: "is required for apply patch", field: "fieldManager")
            throw .invalid(key, [cause])
        }
        var diagnostics = Diagnostics()
        let documents = ManifestReader.documents(call.exchange.body, file: "body", diagnostics: &diagnostics)
        guard let node = documents.first, diagnostics.isEmpty else {
            throw .badRequest(diagnostics.kept.first?.description ?? "the body is empty")
        }
        if documents.count > 1 { throw .badRequest("the body has \(documents.count) documents; one is expected") }
        if node[path: "metadata", "managedFields"] != nil {
            throw .badRequest("metadata.managedFields must be nil in an apply")
        }
        for (field, expected) in [("name", key.name), ("namespace", key.namespace)] {
            if let named = node[path: "metadata", field]?.string, named != expected, !expected.isEmpty {
                throw .badRequest("metadata.\(field) is \"\(named)\", but the address says \"\(expected)\"")
            }
        }
        return Request.Apply(
            key: key, node: node, manager: manager, force: call.parameters.has(Query.force),
            dryRun: call.parameters[Query.dryRun] != nil,
            source: call.exchange.header("Agentos-Source").map(Percent.decode) ?? "", freshUID: Self.freshUID())
    }

    private static func freshUID() -> UID {
        var generator = SystemRandomNumberGenerator()
        return UID(high: generator.next(), low: generator.next())
    }

    func delete(_ call: Call) {
        do throws(Failure) {
            let options = try DeleteOptions(call)
            let deletion = Request.Deletion(
                key: call.key, graceMs: options.graceSeconds.map { Int64($0) * 1000 }, dryRun: options.dryRun,
                uid: options.uid, resourceVersion: options.resourceVersion)
            loop.submit(actor: call.principal, .delete(deletion)) { [loop] in call.reply($0, loop.engine.state) }
        } catch {
            call.fail(error)
        }
    }
}

extension Call {
    /// Answers with the objects as the committed state shows them.
    func reply(_ answer: Answer, _ state: EngineState) {
        func shown(_ object: StoredObject) -> Node {
            let node = state.render(object)
            return mayReveal ? node : withoutValues(node, object.key.kind)
        }
        switch answer {
        case .applied(let applied):
            var headers = [("Agentos-Result", applied.result.rawValue)]
            if !applied.restarts.isEmpty {
                headers.append(("Agentos-Restarts", applied.restarts.joined(separator: ",")))
            }
            if let waits = applied.waits {
                headers.append(("Agentos-Waits", Percent.encode(waits.message)))
            }
            respond(applied.result == .created ? 201 : 200, shown(applied.object), headers: headers)
        case .deleted(let object?): respond(200, shown(object))
        case .deleted(nil), .execution, .done: succeed()
        case .failure(let refusal): fail(Failure(refusal))
        }
    }
}

extension Call {
    /// The answer holds whole objects, and so the values of Secrets.
    var showsValues: Bool {
        guard case .resource(_, _, "") = action.object else { return false }
        switch action.verb {
        case .get, .list, .watch: return Representation(self).holdsObjects
        case .create, .update, .patch, .delete, .deletecollection: return false
        }
    }
}

/// A Secret without its values, for those who may not see them.
func withoutValues(_ node: Node, _ kind: Kind) -> Node {
    guard kind == .secret else { return node }
    var node = node
    node["data"] = nil
    return node
}
