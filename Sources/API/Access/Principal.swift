import Reconciler

/// Who asks, and how that was proven.
struct Principal: Sendable, Equatable {
    enum Proof: Sendable, Equatable {
        /// The kernel names the user at the other end of a unix socket.
        case peerCredentials
    }

    let uid: UInt32
    let proof: Proof

    /// As audit entries name it.
    var actor: Reconciler.Principal { .peer(uid) }
}
