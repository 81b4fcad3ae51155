import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    func delete(_ call: Call) {
        do throws(Failure) {
            let deletion = try DeleteOptions(call).deletion(of: call.key)
            let uid = loop.engine.state.objects[call.key]?.uid.text
            loop.submit(actor: call.principal, trace: call.trace.id, .delete(deletion)) { [loop] answer in
                // What is gone is named once more; what ends is shown.
                if case .deleted(nil) = answer { return call.succeed(details: call.details(uid: uid)) }
                call.reply(answer, loop.engine.state)
            }
        } catch {
            call.fail(error)
        }
    }

    /// Deletes the objects of a collection that a selector takes: those that are there when the request comes.
    func deleteCollection(_ call: Call) {
        do throws(Failure) {
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector],
                of: call.resource)
            let options = try DeleteOptions(call)
            let resource = call.resource
            let chosen = loop.published[call.kind].objects(namespace: call.namespace, after: nil).filter { object in
                documents(object, resource).contains { selector.matches($0.selectable) }
            }
            let details = call.details()
            if chosen.isEmpty { return call.succeed(details: details) }
            var (left, failure) = (chosen.count, Refusal?.none)
            for object in chosen {
                var deletion = options.deletion(of: object.key)
                // Another object of the same name was not chosen.
                deletion.preconditions.uid = object.uid.text
                loop.submit(actor: call.principal, trace: call.trace.id, .delete(deletion)) { answer in
                    left -= 1
                    switch answer {
                    // Gone already, by whoever it was.
                    case .failure(.notFound), .failure(.conflict(_, .uid)): break
                    case .failure(let refusal): failure = failure ?? refusal
                    case .applied, .deleted, .execution, .forecast, .done, .kept: break
                    }
                    guard left == 0 else { return }
                    if let failure { call.fail(Failure(failure)) } else { call.succeed(details: details) }
                }
            }
        } catch {
            call.fail(error)
        }
    }
}
