public import Manifests
public import Planner
public import Values

/// What went wrong with the store, as far as the caller acts on it.
public enum StoreFailure: Error, Sendable {
    /// Nothing was written; the same may succeed later (disk full, busy).
    case retry(String)
    /// The store cannot be trusted or reached any more; the daemon ends, agents run on.
    case fatal(String)
}

/// The durable home of all control state. Called from one thread at a time.
public protocol Store: Sendable {
    func load() throws(StoreFailure) -> EngineState
    /// Guarantee: all of the set is durable when this returns, or nothing of it.
    func commit(_ changes: ChangeSet) throws(StoreFailure)
    /// Events that are not published, in order of position, without those of the excluded objects.
    func unpublished(limit: Int, excluding: [UID]) throws(StoreFailure) -> [EventRecord]
    /// Removes what is older or more than `Limits` allows.
    func trim(nowMs: Int64) throws(StoreFailure)

    /// The latest events of one object as JSON, newest first.
    func events(of uid: UID, limit: Int) throws(StoreFailure) -> [String]
    /// Outbox rows as the API shows them, newest first; of one position, or of those that delivery is stuck at.
    func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [Node]
    /// Puts all into the one file; nothing is written afterwards.
    func finish()
    /// Copies the store to a new file, consistent at one moment, while it is in use.
    func backup(to path: String) throws(StoreFailure)
}

/// Delivered events, to be read in the order of their delivery.
public protocol EventLog: Sendable {
    /// The offset after the last event.
    var end: Int64 { get }
    /// At most `limit` events from an offset on; empty at the end.
    func read(from offset: Int64, limit: Int) -> [EventLine]
    /// Where to start reading for events after a position: at or before the first of them.
    func offset(afterPosition position: Int64) -> Int64
}

public struct EventLine: Sendable {
    /// The offset after this event.
    public var nextOffset: Int64
    public var position: Int64
    /// The envelope as JSON.
    public var text: String

    public init(nextOffset: Int64, position: Int64, text: String) {
        self.nextOffset = nextOffset
        self.position = position
        self.text = text
    }
}

/// A place that events are delivered to, at least once and in order per object.
public protocol EventSink: Sendable {
    /// Guarantee: a confirmed event is durable in the sink. Throws when nothing can be said about any of them.
    func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict]
    /// Drops what is too old or too much; what follows an offset only beyond the hard cap.
    ///
    /// - Returns: the offset of the first event that is kept.
    func retain(from offset: Int64, nowMs: Int64) -> Int64
}

public struct SinkFailure: Error, Sendable {
    public var message: String
    public init(message: String) { self.message = message }
}

/// What a start needs beside the run itself. Holds secret values: never stored, logged or shown.
public struct StartContext: Sendable {
    public var namespace: String
    public var agent: String
    public var ownUser: UInt32?
    public var arguments: [String]
    public var environment: [(name: String, value: String)]
    public var volumes: [Volume]

    /// A volume that the agent mounts, with its content where that comes from objects.
    public struct Volume: Sendable {
        public enum Source: Sendable {
            case persistent
            case emptyDir
            case hostPath(String)
            /// Files by name, with their mode.
            case files([String: [UInt8]], mode: Int)
        }
        public var name: String
        public var source: Source
        public var path: String
        public var isReadOnly: Bool
    }

    public init(
        namespace: String, agent: String, ownUser: UInt32?, arguments: [String],
        environment: [(name: String, value: String)], volumes: [Volume]
    ) {
        self.namespace = namespace
        self.agent = agent
        self.ownUser = ownUser
        self.arguments = arguments
        self.environment = environment
        self.volumes = volumes
    }
}

/// A command to run once where a run lives: as its user, in its isolation, within its limits.
public struct Execution: Sendable {
    /// Descriptors for the command; the driver closes them.
    public struct Streams: Sendable {
        public var input: Int32
        public var output: Int32
        public var error: Int32

        public init(input: Int32, output: Int32, error: Int32) {
            self.input = input
            self.output = output
            self.error = error
        }
    }

    public var run: RunID
    public var command: [String]
    /// The whole of it is killed after so long; 0 for no limit.
    public var timeoutMs: Int64
    /// Nil: nothing to read, and what it writes is dropped.
    public var streams: Streams?
    /// The streams are one terminal, which becomes that of the command.
    public var isTerminal: Bool
    /// Ends the command when it is closed at the other end; a byte says that the terminal has another size. -1 for
    /// none; the driver closes it.
    public var control: Int32

    public init(
        run: RunID, command: [String], timeoutMs: Int64, streams: Streams? = nil, isTerminal: Bool = false,
        control: Int32 = -1
    ) {
        self.run = run
        self.command = command
        self.timeoutMs = timeoutMs
        self.streams = streams
        self.isTerminal = isTerminal
        self.control = control
    }
}

/// What the probes of one run are, and where they find it.
public struct ProbeTarget: Sendable, Equatable {
    public var run: RunID
    public var driver: String
    public var startup: AgentSpec.Probe?
    public var readiness: AgentSpec.Probe?
    public var liveness: AgentSpec.Probe?
    /// Numeric address that it listens at.
    public var address: String
    /// Wall milliseconds.
    public var startedAtMs: Int64
    /// It has been ready, so its startup probe has succeeded.
    public var hasStarted: Bool
    public var isReady: Bool

    /// Nil for a run without probes, or one that cannot be probed now.
    public init?(_ replica: Replica) {
        let isReady: Bool
        switch replica.phase {
        case .ready: isReady = true
        case .starting(_, seen: true): isReady = false
        case .starting, .created, .scheduled, .failed, .backingOff, .stopping, .stopped, .completed: return nil
        }
        guard let run = replica.phase.run, !run.isFrozen,
            run.spec.startupProbe != nil || run.spec.readinessProbe != nil || run.spec.livenessProbe != nil
        else { return nil }
        self.run = run.id
        self.isReady = isReady
        driver = run.spec.driver
        startup = run.spec.startupProbe
        readiness = run.spec.readinessProbe
        liveness = run.spec.livenessProbe
        address = run.facts.address ?? "127.0.0.1"
        startedAtMs = run.startedAtMs ?? 0
        hasStarted = run.readyAt != nil
    }
}

/// What a run has used of the processors since its start, and what it holds now.
public struct RunUsage: Sendable, Equatable {
    public var cpuNs: Int64
    public var memoryBytes: Int64
    public var processes: Int

    public init(cpuNs: Int64, memoryBytes: Int64, processes: Int) {
        self.cpuNs = cpuNs
        self.memoryBytes = memoryBytes
        self.processes = processes
    }
}

/// Asks running agents how they are; verdicts are reported as inputs.
public protocol Prober: Sendable {
    /// Begins to probe a run; again for the same run changes nothing.
    func begin(_ target: ProbeTarget)
    func end(_ run: RunID)
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

/// Reads the directories of Sources, and again when they change; what they declare is reported as inputs.
public protocol SourceReader: Sendable {
    /// Begins to read a Source, or goes on with another specification.
    func watch(_ request: SourceRequest)
    func forget(_ uid: UID)
    /// Reads it now; what it reports carries the refresh.
    func refresh(_ uid: UID, _ refresh: Refresh)
}

/// One kind of isolation. All calls return at once; results are reported as inputs.
public protocol Driver: Sendable {
    var name: String { get }
    /// Fields of the spec that this driver cannot honour on this machine.
    func refusals(_ spec: AgentSpec) -> [Failure.Cause]
    /// Performs one operation; `report` is called once.
    func perform(
        _ operation: Operation, _ context: StartContext?, report: @escaping @Sendable (OperationResult) -> Void)
    /// Asks for a complete observation.
    func observe()
    /// Runs a command beside an agent; `report` is called once.
    func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void)
    /// Measures running agents; `report` is called once, without those about which nothing is known.
    func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void)
    /// The log files of a run that are there, oldest first, in the CRI format.
    func logFiles(_ run: RunID) -> [String]
    /// Removes homes and run directories of a deleted agent.
    func forget(_ uid: UID, report: @escaping @Sendable () -> Void)
    /// Removes what only running agents need; called when the daemon ends and none is left.
    func removeEmptyParents()
}

extension Engine {
    /// What a committed start needs, from committed state; nil when the run is not current any more.
    public func startContext(_ run: Run) -> StartContext? {
        guard let key = state.keysByUID[run.id.uid], let object = state.objects[key], let agent = object.agent else {
            return nil
        }
        var variables: [(name: String, value: String)] = []
        var known: [String: String] = [:]
        func add(_ name: String, _ value: String) {
            if known.updateValue(value, forKey: name) != nil { variables.removeAll { $0.name == name } }
            variables.append((name, value))
        }
        func data(_ kind: Kind, _ name: String) -> [String: String] {
            let values =
                state.objects[ObjectKey(kind, namespace: key.namespace, name: name)]?.content["data"]?.stringMap ?? [:]
            return kind == .secret
                ? values.mapValues { String(decoding: Base64.decode($0) ?? [], as: UTF8.self) } : values
        }
        for from in run.spec.environmentFrom {
            let values = data(from.isSecret ? .secret : .configMap, from.name)
            for (name, value) in values.sorted(by: { $0.key < $1.key })
            where StringRule.environmentName.accepts(from.prefix + name) {
                add(from.prefix + name, value)
            }
        }
        for variable in run.spec.environment {
            switch variable.source {
            case .value(let text): add(variable.name, Expansion.expand(text, known))
            case .secretKey(let name, let field, _):
                if let value = data(.secret, name)[field] { add(variable.name, value) }
            case .configMapKey(let name, let field, _):
                if let value = data(.configMap, name)[field] { add(variable.name, value) }
            case .field(let path): add(variable.name, fieldValue(path, object))
            }
        }
        add("AGENTOS_NAMESPACE", key.namespace)
        add("AGENTOS_AGENT", key.name)
        add("AGENTOS_ORDINAL", String(run.id.ordinal))
        add("AGENTOS_RUN", run.id.text)
        let arguments = (run.spec.command + run.spec.arguments).map { Expansion.expand($0, known) }
        return StartContext(
            namespace: key.namespace, agent: key.name, ownUser: agent.ownUser, arguments: arguments,
            environment: variables, volumes: volumes(run.spec, key.namespace))
    }

    private func volumes(_ spec: AgentSpec, _ namespace: String) -> [StartContext.Volume] {
        func files(_ kind: Kind, _ name: String) -> [String: [UInt8]] {
            let object = state.objects[ObjectKey(kind, namespace: namespace, name: name)]
            let values = object?.content["data"]?.stringMap ?? [:]
            return values.mapValues { kind == .secret ? Base64.decode($0) ?? [] : Array($0.utf8) }
        }
        return spec.volumeMounts.compactMap { mount in
            guard let volume = spec.volumes.first(where: { $0.name == mount.name }) else { return nil }
            let source: StartContext.Volume.Source =
                switch volume.source {
                case .persistent: .persistent
                case .emptyDir: .emptyDir
                case .hostPath(let path): .hostPath(path)
                case .secret(let name, let mode, _): .files(files(.secret, name), mode: mode)
                case .configMap(let name, let mode, _): .files(files(.configMap, name), mode: mode)
                }
            return StartContext.Volume(
                name: mount.name, source: source, path: mount.path, isReadOnly: mount.isReadOnly)
        }
    }

    private func fieldValue(_ path: String, _ object: StoredObject) -> String {
        switch FieldPath(path) {
        case .name: object.key.name
        case .namespace: object.key.namespace
        case .uid: object.uid.text
        case .label(let label): object.labels[label] ?? ""
        case nil: ""
        }
    }
}

/// `$(VAR)` as in Kubernetes: unknown names stay as they are, `$$` is a dollar sign.
public enum Expansion {
    public static func expand(_ text: String, _ values: [String: String]) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var out = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            out += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                out += "$"
                rest = rest.dropFirst()
            } else if rest.first == "(", let end = rest.firstIndex(of: ")") {
                let name = String(rest[rest.index(after: rest.startIndex)..<end])
                out += values[name] ?? "$(\(name))"
                rest = rest[rest.index(after: end)...]
            } else {
                out += "$"
            }
        }
        return out + rest
    }
}
