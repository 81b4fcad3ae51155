import Manifests
public import Planner

/// Who asks for a change, and how that was proven; recorded with everything that follows from it.
public struct Principal: Sendable, Hashable {
    /// How it is known who asks.
    public enum Via: String, Sendable, CaseIterable {
        /// The kernel named the user at the other end of the socket.
        case socket
        /// A part of the daemon itself.
        case daemon
    }

    public var user: String
    public var groups: [String]
    public var via: Via

    public init(user: String, groups: [String] = [], via: Via) {
        self.user = user
        self.groups = groups
        self.via = via
    }

    /// The user behind a socket of this machine.
    public static func peer(_ uid: UInt32) -> Principal { Principal(user: "uid:\(uid)", via: .socket) }

    public static let reconciler = Principal(user: "system:reconciler", via: .daemon)
    public static let retention = Principal(user: "system:retention", via: .daemon)

    /// A Source that applies what it declares.
    public static func source(_ key: ObjectKey) -> Principal {
        Principal(user: "source:\(key.namespace)/\(key.name)", via: .daemon)
    }
}
