import Values

/// The spec of an agent as the planner and the drivers use it: typed, defaulted, valid.
///
/// Source: the description in `AgentFields`.
public struct AgentSpec: Sendable, Equatable {
    public enum RestartPolicy: String, Sendable, CaseIterable {
        case always = "Always"
        case onFailure = "OnFailure"
        case never = "Never"
    }
    public enum Strategy: String, Sendable, CaseIterable {
        case rollingUpdate = "RollingUpdate"
        case recreate = "Recreate"
    }
    public enum Gate: String, Sendable, CaseIterable {
        case published = "Published"
        case outboxWritten = "OutboxWritten"
    }

    public struct Dependency: Sendable, Equatable {
        public enum Condition: String, Sendable, CaseIterable {
            case ready = "Ready"
            case started = "Started"
            case completed = "Completed"
        }
        public var name: String
        public var condition: Condition
    }

    public struct Backoff: Sendable, Equatable {
        public var initialMs: Int64
        public var maxMs: Int64
        public var factor: Double
        public var resetAfterMs: Int64
    }

    public enum EnvironmentSource: Sendable, Equatable {
        case value(String)
        case secretKey(name: String, key: String, optional: Bool)
        case configMapKey(name: String, key: String, optional: Bool)
        case field(String)
    }

    public struct EnvironmentVariable: Sendable, Equatable {
        public var name: String
        public var source: EnvironmentSource
    }

    public struct EnvironmentFrom: Sendable, Equatable {
        public var prefix: String
        public var isSecret: Bool
        public var name: String
        public var optional: Bool
    }

    public struct Resources: Sendable, Equatable {
        /// Thousandths of a core.
        public var requestCpuMilli: Int64 = 0
        public var requestMemoryBytes: Int64 = 0
        public var limitCpuMilli: Int64?
        public var limitMemoryBytes: Int64?
        public var limitPids: Int64?
        public var limitOpenFiles: Int64?
    }

    public enum Network: String, Sendable, CaseIterable {
        case none = "None"
        case host = "Host"
        case bridge = "Bridge"
    }

    public struct Filesystem: Sendable, Equatable {
        public var read: [String]
        public var write: [String]
    }

    public struct Volume: Sendable, Equatable {
        public enum Source: Sendable, Equatable {
            case persistent
            case emptyDir
            case hostPath(String)
            case secret(String, mode: Int, optional: Bool)
            case configMap(String, mode: Int, optional: Bool)
        }
        public var name: String
        public var source: Source
    }

    public struct VolumeMount: Sendable, Equatable {
        public var name: String
        public var path: String
        public var isReadOnly: Bool
    }

    /// A question to a running agent, asked again and again; as in Kubernetes.
    public struct Probe: Sendable, Equatable {
        public enum Action: Sendable, Equatable {
            case exec([String])
            case httpGet(path: String, port: Int, headers: [String: String])
            case tcpSocket(port: Int)
        }
        public var action: Action
        public var initialDelayMs: Int64
        public var periodMs: Int64
        public var timeoutMs: Int64
        public var successThreshold: Int
        public var failureThreshold: Int

        /// How long a startup probe may fail before the run is given up.
        public var patienceMs: Int64 {
            periodMs.multipliedSaturated(by: Int64(failureThreshold)).addingSaturated(initialDelayMs)
                .addingSaturated(timeoutMs)
        }
    }

    public var driver: String
    public var replicas: Int
    public var suspend: Bool
    public var freezes: Bool
    /// Changes that restart replicas wait.
    public var paused: Bool
    public var image: String?
    public var imageArchive: String?
    public var command: [String]
    public var arguments: [String]
    public var workingDir: String?
    public var environment: [EnvironmentVariable]
    public var environmentFrom: [EnvironmentFrom]
    public var resources: Resources
    public var restartPolicy: RestartPolicy
    public var backoff: Backoff
    public var gracePeriodMs: Int64
    /// Nil: the image's, else SIGTERM.
    public var stopSignal: Int32?
    public var dependsOn: [Dependency]
    public var priority: Int
    public var gate: Gate
    public var strategy: Strategy
    public var maxUnavailable: Int
    public var progressDeadlineMs: Int64
    public var runAsUser: UInt32?
    public var runAsGroup: UInt32?
    /// Shares the volumes that are the agent's own.
    public var fsGroup: UInt32?
    /// Volumes are looked at as a whole before each start.
    public var fsGroupIsAlwaysApplied: Bool
    public var readOnlyRoot: Bool
    /// Names without `CAP_`; `ALL` for all.
    public var droppedCapabilities: Set<String>
    /// Nil: what is usual for the driver.
    public var network: Network?
    public var startupProbe: Probe?
    public var readinessProbe: Probe?
    public var livenessProbe: Probe?
    /// Nil: not confined.
    public var filesystem: Filesystem?
    public var volumes: [Volume]
    public var volumeMounts: [VolumeMount]
    /// What the description of the kind refuses in the spec that this was read from: a store may hold what another
    /// version of the program took. Such an agent is shown, changed and deleted, but not started.
    public var problem: String?
}
