import Manifests
public import Planner

/// Who asks for something, and how that was proven; recorded with everything that follows from it.
public struct Principal: Sendable, Hashable {
    /// How it is known who asks.
    public enum Via: String, Sendable, CaseIterable {
        /// The kernel named the user at the other end of the socket.
        case socket
        /// A certificate that an authority of the daemon has signed.
        case certificate
        /// A token that only this user holds.
        case token
        /// A part of the daemon itself.
        case daemon
        /// Nothing: it is not known who asks.
        case nothing
    }

    public var user: String
    public var groups: [String]
    /// What tells users of one name apart, where there is something.
    public var uid: String
    public var via: Via

    public init(user: String, groups: [String] = [], uid: String = "", via: Via) {
        self.user = user
        self.groups = groups
        self.uid = uid
        self.via = via
    }

    /// May do everything, whatever roles say.
    public static let masters = "system:masters"
    /// Everybody who is known.
    public static let authenticated = "system:authenticated"

    public var isMaster: Bool { groups.contains(Self.masters) }

    /// A user behind a socket of this machine.
    ///
    /// - Parameter isMaster: it is root or the daemon's own user.
    public static func peer(_ uid: UInt32, isMaster: Bool) -> Principal {
        Principal(
            user: "uid:\(uid)", groups: isMaster ? [masters, authenticated] : [authenticated], uid: String(uid),
            via: .socket)
    }

    /// Who holds a token of a ServiceAccount.
    public static func account(_ key: ObjectKey, uid: UID) -> Principal {
        Principal(
            user: "system:serviceaccount:\(key.namespace):\(key.name)",
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(key.namespace)", authenticated],
            uid: uid.text, via: .token)
    }

    public static let anonymous = Principal(
        user: "system:anonymous", groups: ["system:unauthenticated"], via: .nothing)

    public static let daemon = Principal(user: "system:daemon", groups: [masters], via: .daemon)
    public static let reconciler = Principal(user: "system:reconciler", via: .daemon)
    /// Deletes objects whose owners are gone.
    public static let garbageCollector = Principal(user: "system:garbage-collector", via: .daemon)
    public static let retention = Principal(user: "system:retention", via: .daemon)

    /// A Source that applies what it declares. It has no rights of its own but to what the daemon's options allow it:
    /// roles and bindings it declares within what is bound to its name.
    public static func source(_ key: ObjectKey) -> Principal {
        Principal(user: "\(sourcePrefix)\(key.namespace)/\(key.name)", via: .daemon)
    }

    private static let sourcePrefix = "source:"

    /// The Source that a user is; nil: it is none.
    public static func source(of user: String) -> ObjectKey? {
        guard user.hasPrefix(sourcePrefix) else { return nil }
        let parts = user.dropFirst(sourcePrefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return ObjectKey(.source, namespace: String(parts[0]), name: String(parts[1]))
    }
}
