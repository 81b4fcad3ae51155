import Manifests
public import Planner

/// Why a request was not carried out. Says what the asker can do next; the words and codes of each face are its own.
public enum Refusal: Error, Sendable, Equatable {
    case notFound(ObjectKey)
    /// The agent has no such ordinal.
    case noReplica(ObjectKey, ordinal: Int)
    /// No delivery is stuck at this position.
    case notStuck(position: Int64)
    case noConsumer(String)
    case noSink(String)
    case invalid(ObjectKey, [Cause])
    /// The request is wrong by itself, whatever the object is.
    case malformed(ObjectKey, Malformed)
    /// A patch that does not fit to the object.
    case unfitting(ObjectKey, PatchProblem)
    /// The object is not as the request assumes.
    case conflict(ObjectKey, Conflict)
    case forbidden(ObjectKey?, Forbidden)
    /// What was asked for is not held any more: the consumer begins anew.
    case expired(Consumer)
    /// The key of a request that was carried out came with another request.
    case keyReused(String)
    /// Too much at a time; the same may be asked again after so long.
    case tooMany(retryAfterMs: Int64)
    /// Too many events wait for the journal, or for a sink that is required.
    case deliveryBehind(sink: String?, retryAfterMs: Int64)
    /// Nothing was changed; the same may be asked again.
    case unavailable
    /// The store has no room, or is busy: nothing was changed. In its own words.
    case notStored(String)

    /// One field that stands against a request.
    public struct Cause: Sendable, Equatable {
        /// What is wrong with the field, as Kubernetes names it.
        public enum Reason: String, Sendable, CaseIterable {
            case invalid = "FieldValueInvalid"
            case required = "FieldValueRequired"
            case tooLong = "FieldValueTooLong"
            case notSupported = "FieldValueNotSupported"
            case managerConflict = "FieldManagerConflict"
            case duplicate = "FieldValueDuplicate"
        }

        public var reason: Reason
        public var message: String
        public var field: String

        public init(reason: Reason = .invalid, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    /// What is wrong with the content of a request.
    public enum Malformed: Sendable, Equatable {
        /// Fields that the kind does not have, or that stand twice, where that is not passed over.
        case fields([Cause])
        case patch(PatchProblem)
        /// A field of the identity is not that of the address.
        case identity(field: String, found: String, expected: String)
        case versionOfNew
        case managedFields
        /// The kind has no such part.
        case subresource(Request.Write.Subresource)
    }

    /// How the object differs from what the request assumes.
    public enum Conflict: Sendable, Equatable {
        /// Other managers own these fields with other values.
        case managers([FieldOwner])
        case beingDeleted
        case exists
        /// The version that the request was made from is not the latest.
        case modified
        /// The object is another than the one that was meant.
        case uid(expected: String, found: UID)
        case resourceVersion(expected: String, found: Int64)
        case notRunning(ordinal: Int, AgentPhase)
        case frozen(ordinal: Int)
        case suspended
        case notRead
        /// Since a plan was made; at least one.
        case moved([Forecast.Move])
    }

    /// A field and the manager that owns it.
    public struct FieldOwner: Sendable, Equatable {
        public var manager: String
        public var path: String
    }

    /// Rules that the object itself does not break.
    public enum Forbidden: Sendable, Equatable {
        case defaultNamespace
        case namespaceEnds(String)
        case tooManyManagers
        case tooManyObjects
        /// All user ids for agents belong to some.
        case noUserLeft
        case tooManyConsumers
        /// The configuration names it.
        case sinkInUse(String)
        /// Nobody grants what he does not have.
        case grants(user: String, missing: String)
        case tooManyGrants
        /// A process with a user of the machine's own.
        case machineUser(user: String)
        /// The budget of an Objective is spent, and its policy is that nothing changes.
        case frozen(objective: String, stand: String)
        /// The freeze of an Objective is not this user's to override.
        case freezeOverride(objective: String, user: String)
    }
}
