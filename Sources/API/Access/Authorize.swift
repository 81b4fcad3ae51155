/// What a request does, as rules of access speak of it.
struct Action: Sendable, Equatable {
    enum Verb: String, Sendable {
        case get, list, watch, patch, delete, create
    }

    enum Object: Sendable, Equatable {
        case resource(group: String, name: String, subresource: String)
        /// A path that is no resource, such as the health of the daemon.
        case path(String)
    }

    let verb: Verb
    let object: Object
}

/// The rule of access of a route.
enum AccessRule: Sendable, Equatable {
    /// The daemon's own user and root; nobody else.
    case administrators
}

/// Whether a principal may do something. Pure; the same question has the same answer.
func isAllowed(_ principal: Principal, _ action: Action, _ rule: AccessRule, daemon user: UInt32) -> Bool {
    switch rule {
    case .administrators:
        switch principal.proof {
        case .peerCredentials: principal.uid == 0 || principal.uid == user
        }
    }
}
