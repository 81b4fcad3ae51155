public import Manifests
public import Planner

/// Reads the directories of Sources, and again when they change; what they declare is reported as inputs.
public protocol SourceReader: Sendable {
    /// Begins to read a Source, or goes on with another specification.
    func watch(_ request: SourceRequest)
    func forget(_ uid: UID)
    /// Reads it now; what it reports carries the refresh.
    func refresh(_ uid: UID, _ refresh: Refresh)
}

/// A Source to be read, with what reading it needs.
public struct SourceRequest: Sendable, Equatable {
    public var uid: UID
    public var key: ObjectKey
    public var spec: SourceSpec
    /// Of the Secret that `git.secretRef` names; never stored, logged or shown.
    public var credentials: [String: [UInt8]]

    public init(uid: UID, key: ObjectKey, spec: SourceSpec, credentials: [String: [UInt8]]) {
        self.uid = uid
        self.key = key
        self.spec = spec
        self.credentials = credentials
    }
}
