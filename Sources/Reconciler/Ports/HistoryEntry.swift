public import Planner

/// What the audit tells of one object, with the event of the same change.
public struct HistoryEntry: Sendable, Equatable {
    public var atMs: Int64
    /// Who did it.
    public var user: String
    public var verb: String
    /// The object; others have had its name before it.
    public var uid: UID?
    /// `file:line` of the manifest, where one was sent.
    public var source: String
    public var detail: String
    /// Of the event; nil for what makes none.
    public var position: Int64?
    public var sequence: Int64?
    /// The envelope of the event as JSON; nil: none was made, or it is too old.
    public var payload: String?

    public init(
        atMs: Int64, user: String, verb: String, uid: UID?, source: String, detail: String, position: Int64?,
        sequence: Int64? = nil, payload: String? = nil
    ) {
        self.atMs = atMs
        self.user = user
        self.verb = verb
        self.uid = uid
        self.source = source
        self.detail = detail
        self.position = position
        self.sequence = sequence
        self.payload = payload
    }
}
