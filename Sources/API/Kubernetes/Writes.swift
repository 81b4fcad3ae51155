import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Values

/// Requests that write one object: all become one call of the engine.
extension Server {
    /// POST to a collection.
    func create(_ call: Call) {
        do throws(Failure) {
            let body = try WriteBody(call, as: try WriteBody.form(call, among: WriteBody.Form.objects))
            let name = body.node[path: "metadata", "name"]?.string ?? ""
            let prefix = body.node[path: "metadata", "generateName"]?.string ?? ""
            let key = ObjectKey(call.kind, namespace: call.namespace ?? "", name: name)
            let node = call.resource.stored(body.node)
            if name.isEmpty, prefix.isEmpty {
                let message = "name or generateName is required"
                throw .invalid(key, [Refusal.Cause(reason: .required, message: message, field: "metadata.name")])
            }
            if name.isEmpty { return create(call, node, body.duplicates, prefix, triesLeft: Limits.generatedNamesMax) }
            try submit(call, try write(call, key, .create(node), body.duplicates))
        } catch {
            call.fail(error)
        }
    }

    /// Makes an object under a name that the server completes; one that is taken is drawn again.
    private func create(
        _ call: Call, _ node: Node, _ duplicates: [Refusal.Cause], _ prefix: String, triesLeft: Int
    ) {
        let letters = "bcdfghjklmnpqrstvwxz2456789"
        let name = prefix.prefix(58) + String((0..<5).compactMap { _ in letters.randomElement() })
        let key = ObjectKey(call.kind, namespace: call.namespace ?? "", name: String(name))
        var node = node
        var metadata = node["metadata"] ?? .emptyMap
        metadata["name"] = .text(key.name)
        node["metadata"] = metadata
        do throws(Failure) {
            let write = try write(call, key, .create(node), duplicates)
            loop.submit(actor: call.principal, trace: call.trace.id, once: try call.once(), .write(write)) {
                [self, node] answer in
                if case .failure(.conflict(_, .exists)) = answer, triesLeft > 1 {
                    return create(call, node, duplicates, prefix, triesLeft: triesLeft - 1)
                }
                call.reply(answer, loop.engine.state)
            }
        } catch {
            call.fail(error)
        }
    }

    /// PUT to an object, or to a part of it.
    func update(_ call: Call) {
        do throws(Failure) {
            let body = try WriteBody(call, as: try WriteBody.form(call, among: WriteBody.Form.objects))
            try submit(call, try write(call, call.key, .update(call.resource.stored(body.node)), body.duplicates))
        } catch {
            call.fail(error)
        }
    }

    /// PATCH of an object, or of a part of it.
    func patch(_ call: Call) {
        do throws(Failure) {
            let form = try WriteBody.form(call, among: WriteBody.Form.patches(of: call.resource))
            if form == .apply { try checkApply(call) }
            // Steps could copy or compare values that are not to be seen.
            if form == .jsonPatch, call.kind.traits.hidesData, !call.mayReveal {
                throw .forbidden(call.principal, call.attributes(Self.reveal))
            }
            let body = try WriteBody(call, as: form)
            let operation = try operation(call, form, call.resource.stored(body.node))
            try submit(call, try write(call, call.key, operation, body.duplicates))
        } catch {
            call.fail(error)
        }
    }

    func operation(
        _ call: Call, _ form: WriteBody.Form, _ node: Node
    ) throws(Failure) -> Request.Write.Operation {
        do throws(PatchProblem) {
            switch form {
            case .jsonPatch: return .patch(.json(try JSONPatch(node)))
            case .mergePatch: return .patch(.merge(try MergePatch(node)))
            case .strategicPatch: return .patch(.strategic(try StrategicMerge(node)))
            case .json, .yaml, .protobuf, .apply: break
            }
        } catch {
            throw Failure(.malformed(call.key, .patch(error)))
        }
        if let managers = node[path: "metadata", "managedFields"], !managers.isNull {
            throw .badRequest("metadata.managedFields must be nil in an apply")
        }
        return .apply(node, force: call.parameters.has(Query.force))
    }

    /// An apply names its manager; one that makes the object needs what a creation needs.
    private func checkApply(_ call: Call) throws(Failure) {
        if loop.engine.state.objects[call.key] == nil {
            let asked = call.attributes(Action.Verb.create.rawValue)
            if !loop.engine.state.access.allows(call.principal, asked) { throw .forbidden(call.principal, asked) }
        }
        if call.parameters[Query.fieldManager] != nil { return }
        let cause = Refusal.Cause(reason: .required, message: "is required for apply patch", field: "fieldManager")
        throw .invalid(call.key, [cause])
    }

    func submit(_ call: Call, _ write: Request.Write) throws(Failure) {
        let once = try call.once()
        withEarlierTemplates(write) { [self] write in
            loop.submit(actor: call.principal, trace: call.trace.id, once: once, .write(write)) { [loop] in
                call.reply($0, loop.engine.state)
            }
        }
    }

    /// While changes are frozen, what an agent was made of before is looked up: a return to it is taken.
    func withEarlierTemplates(_ write: Request.Write, _ submit: @escaping (Request.Write) -> Void) {
        guard write.key.kind.traits.isFrozenWhenSpent, loop.engine.state.freezing != nil,
            let object = loop.engine.state.objects[write.key]
        else { return submit(write) }
        loop.readBeside { [uid = object.uid] store throws(StoreFailure) in
            try store.revisions(of: [uid]).map(\.template)
        } _: { result in
            var write = write
            // What cannot be looked up is no rollback.
            if case .success(let templates) = result { write.earlierTemplates = templates }
            submit(write)
        }
    }

    private func submit(_ call: Call, _ verb: Request.Verb) throws(Failure) {
        loop.submit(actor: call.principal, trace: call.trace.id, once: try call.once(), verb) { [loop] in
            call.reply($0, loop.engine.state)
        }
    }

    /// What is done to deliveries: once, when it carries a key.
    func command(_ call: Call, _ verb: Request.Verb) {
        do throws(Failure) { try submit(call, verb) } catch { call.fail(error) }
    }

    /// The call of the engine, with what the query and the head say of it.
    func write(
        _ call: Call, _ key: ObjectKey, _ operation: Request.Write.Operation, _ duplicates: [Refusal.Cause]
    ) throws(Failure) -> Request.Write {
        let named = call.parameters[Query.fieldManager]
        if let named, named.utf8.count > Limits.managerNameBytesMax {
            let message = "may not be more than \(Limits.managerNameBytesMax) bytes"
            throw .invalid(key, [Refusal.Cause(reason: .tooLong, message: message, field: "fieldManager")])
        }
        let isApply = if case .apply = operation { true } else { false }
        let validation = call.parameters[Query.fieldValidation].flatMap(Request.Write.FieldValidation.init)
        var write = Request.Write(
            key: key, subresource: call.subresource, operation, manager: named ?? Self.manager(call.exchange),
            dryRun: call.parameters[Query.dryRun] != nil, validation: validation ?? (isApply ? .strict : .warn),
            source: call.exchange.header("Agentos-Source").map(Percent.decode) ?? "", freshUID: Self.freshUID())
        write.duplicates = duplicates
        return write
    }

    /// The program that writes, where it names no manager: the first word of its name.
    private static func manager(_ exchange: Exchange) -> String {
        let agent = exchange.header("User-Agent") ?? ""
        let word = agent.unicodeScalars.prefix { $0 != "/" && $0.value > 0x20 && $0.value < 0x7f }
        return word.isEmpty ? "unknown" : String(String.UnicodeScalarView(word.prefix(Limits.managerNameBytesMax)))
    }

    private static func freshUID() -> UID {
        var generator = SystemRandomNumberGenerator()
        return UID(high: generator.next(), low: generator.next())
    }
}

extension Call {
    /// The part of the object that the route is about.
    var subresource: Request.Write.Subresource {
        guard case .resource(_, _, let name) = route.object else { return .none }
        return Request.Write.Subresource(rawValue: name) ?? .none
    }

    /// Answers with the object, or the part of it, as the committed state shows it.
    func reply(_ answer: Answer, _ state: EngineState) {
        switch answer {
        case .applied(let applied):
            var headers = [("Agentos-Result", applied.result.rawValue)]
            if !applied.restarts.isEmpty {
                headers.append(("Agentos-Restarts", Self.names(applied.restarts)))
            }
            if let waits = applied.waits {
                headers.append(("Agentos-Waits", Percent.encode(waits.message.cut(Limits.waitsBytesMax))))
            }
            headers += Self.warnings(applied.warnings)
            respond(applied.result == .created ? 201 : 200, shown(applied.object, state), headers: headers)
        case .deleted(let object?): respond(200, shown(object, state))
        case .deleted(nil): succeed(details: route.resource?.storedKind == nil ? nil : details(uid: nil))
        case .execution, .forecast, .done: succeed()
        case .kept(let kept): repeatAnswer(kept, state)
        case .failure(let refusal): fail(Failure(refusal))
        }
    }

    func shown(_ object: StoredObject, _ state: EngineState) -> Node {
        if subresource == .scale, let scale = object.scale { return scale }
        let node = resource.shown(state.render(object))
        return mayReveal ? node : withoutValues(node, object.key.kind)
    }

    /// What a Status says of what it is about: the object, or the collection where the path names none.
    func details(uid: String? = nil) -> Node {
        .map([
            ("name", route.hasName ? .text(name) : nil),
            ("group", resource.group.isEmpty ? nil : .text(resource.group)),
            ("kind", .text(resource.name)), ("uid", uid.map(Node.text)),
        ])
    }

    /// Headers that warn, as many as the head of an answer has room for.
    static func warnings(_ texts: [String]) -> [(String, String)] {
        var (headers, left): ([(String, String)], Int) = ([], Limits.warningsBytesMax)
        for text in texts {
            let line = "299 - \(quoted(text))"
            left -= line.utf8.count
            guard left >= 0 else { break }
            headers.append(("Warning", line))
        }
        return headers
    }

    /// A quoted string of a header.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text.cut(Limits.warningBytesMax).unicodeScalars {
            if character == "\"" || character == "\\" { result += "\\" }
            result.unicodeScalars.append(character.value < 0x20 || character.value == 0x7f ? " " : character)
        }
        return result + "\""
    }

    /// Names for a header, as many as it has room for.
    private static func names(_ names: [String]) -> String {
        let all = names.joined(separator: ",")
        guard all.utf8.count > Limits.namesBytesMax else { return all }
        return all.cut(Limits.namesBytesMax).split(separator: ",").dropLast().joined(separator: ",")
    }
}

extension String {
    /// The beginning that fits into so many bytes, without half a letter.
    fileprivate func cut(_ bytesMax: Int) -> String {
        guard utf8.count > bytesMax else { return self }
        var (bytes, end) = (0, unicodeScalars.startIndex)
        for index in unicodeScalars.indices {
            bytes += UTF8.width(unicodeScalars[index])
            if bytes > bytesMax { break }
            end = unicodeScalars.index(after: index)
        }
        return String(self[..<end])
    }
}
