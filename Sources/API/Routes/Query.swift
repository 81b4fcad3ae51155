import HTTP
import Manifests
import Values

/// All parameters that a query may have, each in one place.
enum Query {
    // MARK: Reading
    static let labelSelector = Parameter<String>.text("labelSelector", bytesMax: selectorBytesMax)
    static let fieldSelector = Parameter<String>.text("fieldSelector", bytesMax: selectorBytesMax)
    static let watch = Parameter<Bool>.flag("watch")
    static let resourceVersion = Parameter<String>.text("resourceVersion", bytesMax: 64)
    static let resourceVersionMatch = Parameter<String>.word("resourceVersionMatch", ["Exact", "NotOlderThan"])
    static let allowWatchBookmarks = Parameter<Bool>.flag("allowWatchBookmarks")
    static let sendInitialEvents = Parameter<Bool>.flag("sendInitialEvents")
    static let timeoutSeconds = Parameter<Int64>.integer("timeoutSeconds", 0...secondsMax)
    static let limit = Parameter<Int64>.integer("limit", 0...Int64(Int32.max))
    static let continuation = Parameter<String>.text("continue")
    /// What a row of a Table carries beside its cells.
    static let includeObject = Parameter<String>.word("includeObject", ["None", "Metadata", "Object"])
    /// What clients send with any request and has no effect here.
    static let pretty = Parameter<String>.text("pretty", bytesMax: 16)
    static let hash = Parameter<String>.text("hash", bytesMax: 128)
    static let timeout = Parameter<String>.text("timeout", bytesMax: 32)

    static let at = Parameter<String>.text("at", bytesMax: 64)
    static let event = Parameter<String>.text("event", bytesMax: 64)
    static let kind = Parameter<String>.text("kind", bytesMax: 64)
    static let name = Parameter<String>.text("name", bytesMax: 253)

    // MARK: Writing
    static let fieldManager = Parameter<String>.text("fieldManager")
    static let fieldValidation = Parameter<String>.word("fieldValidation", ["Strict", "Warn", "Ignore"])
    static let force = Parameter<Bool>.flag("force")
    static let dryRun = Parameter<String>.word("dryRun", ["All"])
    static let gracePeriodSeconds = Parameter<Int64>.integer("gracePeriodSeconds", 0...86_400)
    static let propagationPolicy = Parameter<String>.word("propagationPolicy", ["Background", "Foreground", "Orphan"])
    static let orphanDependents = Parameter<Bool>.flag("orphanDependents")

    // MARK: Commands
    static let command = Parameter<[String]>.list("command", countMax: 1024, bytesMax: 131_072)
    static let ports = Parameter<[String]>.list("ports", countMax: 32, bytesMax: 1024)
    static let stdin = Parameter<Bool>.flag("stdin")
    static let stdout = Parameter<Bool>.flag("stdout")
    static let stderr = Parameter<Bool>.flag("stderr")
    static let tty = Parameter<Bool>.flag("tty")
    static let commandTimeout = Parameter<Int64>.integer("timeoutSeconds", 0...86_400)

    // MARK: Logs and events
    static let tailLines = Parameter<Int64>.integer("tailLines", 0...10_000_000)
    static let ordinal = Parameter<Int64>.integer("ordinal", 0...Int64(Limits.replicasMax))
    static let attempt = Parameter<Int64>.integer("attempt", 1...positionMax)
    static let follow = Parameter<Bool>.flag("follow")
    static let previous = Parameter<Bool>.flag("previous")
    static let timestamps = Parameter<Bool>.flag("timestamps")
    static let container = Parameter<String>.text("container", bytesMax: 253)
    static let sinceSeconds = Parameter<Int64>.integer("sinceSeconds", 1...secondsMax)
    static let sinceTime = Parameter<String>.text("sinceTime", bytesMax: 64)
    static let limitBytes = Parameter<Int64>.integer("limitBytes", 1...positionMax)
    /// There is no other server behind this one.
    static let insecureSkipTLSVerifyBackend = Parameter<Bool>.flag("insecureSkipTLSVerifyBackend")
    static let sincePosition = Parameter<Int64>.integer("sincePosition", 0...positionMax)
    static let consumer = Parameter<String>.text("consumer", bytesMax: 253)
    static let namespace = Parameter<String>.text("namespace", bytesMax: 253)
    static let position = Parameter<Int64>.integer("position", 0...positionMax)
    static let offset = Parameter<Int64>.integer("offset", 0...positionMax)
    static let all = Parameter<Bool>.flag("all")
    static let sink = Parameter<String>.text("sink", bytesMax: 63)

    /// The head of a request has room for both.
    private static let selectorBytesMax = 4096
    /// Longer than any client waits, and far from what milliseconds since boot can hold.
    private static let secondsMax = Int64(Int32.max)
    private static let positionMax = Int64.max
}
