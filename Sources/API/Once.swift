import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Call {
    /// By what a request is known when it comes again: its `Idempotency-Key`, and a digest of all that it says.
    func once() throws(Failure) -> Request.Once? {
        guard route.method == .post, let key = exchange.header("Idempotency-Key") else { return nil }
        guard (1...Limits.idempotencyKeyBytesMax).contains(key.utf8.count),
            key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else {
            throw .badRequest("Idempotency-Key: expected 1 to \(Limits.idempotencyKeyBytesMax) printable characters")
        }
        var digest = SHA256Digest()
        let target = exchange.target
        let query = (target?.query ?? []).map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        digest.add(Array("\(target?.path ?? "")?\(query)\n".utf8))
        digest.add(exchange.body)
        return Request.Once(key: key, digest: digest.hex())
    }

    /// Answers a request that was carried out before: with the object as it is, or with what is known of it when it is
    /// gone.
    func repeatAnswer(_ kept: KeptAnswer, _ state: EngineState) {
        let headers = [("Idempotency-Replayed", "true")]
        guard let about = kept.object else { return succeed(headers: headers) }
        let status = about.isCreated ? 201 : 200
        if let object = state.objects[about.key], object.uid == about.uid {
            return respond(status, shown(object, state), headers: headers)
        }
        let kind = about.key.kind
        respond(
            status,
            .map([
                ("apiVersion", .text(kind.apiVersion)), ("kind", .text(kind.rawValue)),
                (
                    "metadata",
                    .map([
                        ("name", .text(about.key.name)),
                        ("namespace", kind.isNamespaced ? .text(about.key.namespace) : nil),
                        ("uid", .text(about.uid.text)),
                        ("creationTimestamp", .text(Timestamp.seconds(about.createdAtMs))),
                    ])
                ),
            ]), headers: headers)
    }
}
