public import HTTP
import Manifests
import Reconciler
import Values

/// Where the daemon is reached over TLS, and what its clients need for it.
public struct Listening: Sendable {
    /// `https://127.0.0.1:6443`.
    public var server: String
    /// What clients trust, as PEM texts.
    public var trusted: String
    /// Signs certificates of clients.
    public var authority: Authority

    public init(server: String, trusted: String, authority: Authority) {
        self.server = server
        self.trusted = trusted
        self.authority = authority
    }
}

extension Server {
    /// `{"user": NAME, "groups": […], "expirationSeconds": N}`: what a client needs to be that user.
    ///
    /// Only over the socket: a certificate must not beget others that outlive it.
    func kubeconfig(_ call: Call) {
        guard call.principal.via == .socket else {
            return call.fail(.forbidden(call.principal, call.attributes, "only over the daemon's socket"))
        }
        guard let listening else {
            return call.fail(.badRequest("the daemon listens on its socket only; start it with --listen ADDRESS:PORT"))
        }
        let body: Node?
        do throws(Failure) { body = try call.bodyObject("Kubeconfig") } catch { return call.fail(error) }
        let groups = (body?["groups"]?.list ?? []).compactMap(\.string)
        guard let user = body?["user"]?.string, groups.count == body?["groups"]?.list?.count ?? 0,
            ([user] + groups).allSatisfy({ (1...64).contains($0.utf8.count) }), groups.count <= 64
        else { return call.fail(.badRequest("user and groups: expected names of 1 to 64 bytes")) }
        let seconds = body?["expirationSeconds"]?.int ?? Limits.certificateSecondsMax
        guard (60...Limits.certificateSecondsMax).contains(seconds) else {
            return call.fail(
                .badRequest("expirationSeconds: must be from 60 to \(Limits.certificateSecondsMax)"))
        }
        let purpose = Authority.Purpose.client(user: user, groups: groups)
        guard let credential = listening.authority.issue(purpose, seconds: Int64(seconds)) else {
            return call.fail(.badRequest("user and groups: expected names that a certificate can hold"))
        }
        call.respond(
            200,
            .map([
                ("server", .text(listening.server)), ("trusted", .text(listening.trusted)),
                ("certificate", .text(credential.certificate)), ("key", .text(credential.key)),
            ]))
    }
}
