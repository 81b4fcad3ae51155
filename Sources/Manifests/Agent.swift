public import Values

/// The spec of an agent as the planner and the drivers use it: typed, defaulted, valid.
///
/// Source: the description in `AgentFields`; made only from nodes that passed `Validator`.
public struct AgentSpec: Sendable, Equatable {
    public enum RestartPolicy: String, Sendable {
        case always = "Always"
        case onFailure = "OnFailure"
        case never = "Never"
    }
    public enum Strategy: String, Sendable {
        case rollingUpdate = "RollingUpdate"
        case recreate = "Recreate"
    }
    public enum Gate: String, Sendable {
        case published = "Published"
        case outboxWritten = "OutboxWritten"
    }

    public struct Dependency: Sendable, Equatable {
        public enum Condition: String, Sendable {
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

    public enum Network: String, Sendable {
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
        public var patienceMs: Int64 { initialDelayMs + periodMs * Int64(failureThreshold) + timeoutMs }
    }

    public var driver: String
    public var replicas: Int
    public var suspend: Bool
    public var freezes: Bool
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
    public var stopSignal: Int32
    public var dependsOn: [Dependency]
    public var priority: Int
    public var gate: Gate
    public var strategy: Strategy
    public var maxUnavailable: Int
    public var progressDeadlineMs: Int64
    public var runAsUser: UInt32?
    public var runAsGroup: UInt32?
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
}

extension AgentSpec {
    /// Reads a validated, defaulted `spec`.
    public init(_ node: Node) {
        func milliseconds(_ node: Node?) -> Int64 { Int64((node?.double ?? 0) * 1000) }
        func strings(_ node: Node?) -> [String] { node?.list?.compactMap(\.string) ?? [] }
        driver = node["driver"]?.string ?? "process"
        replicas = node["replicas"]?.int ?? 1
        suspend = node["suspend"]?.bool ?? false
        freezes = node["suspendMode"]?.string == "Freeze"
        image = node["image"]?.string
        imageArchive = node["imageArchive"]?.string
        command = strings(node["command"])
        arguments = strings(node["args"])
        workingDir = node["workingDir"]?.string
        environment = (node["env"]?.list ?? []).map(EnvironmentVariable.init)
        environmentFrom = (node["envFrom"]?.list ?? []).compactMap(EnvironmentFrom.init)
        resources = Resources(node["resources"])
        restartPolicy = RestartPolicy(rawValue: node["restartPolicy"]?.string ?? "") ?? .always
        let delays = node["backoff"]
        backoff = Backoff(
            initialMs: milliseconds(delays?["initialSeconds"]), maxMs: milliseconds(delays?["maxSeconds"]),
            factor: delays?["factor"]?.double ?? 2, resetAfterMs: milliseconds(delays?["resetAfterSeconds"]))
        gracePeriodMs = milliseconds(node["terminationGracePeriodSeconds"])
        stopSignal = Signals.number(of: node["stopSignal"]?.string ?? "SIGTERM") ?? 15
        dependsOn = (node["dependsOn"]?.list ?? []).map { item in
            Dependency(
                name: item["name"]?.string ?? "",
                condition: Dependency.Condition(rawValue: item["condition"]?.string ?? "") ?? .ready)
        }
        priority = node["priority"]?.int ?? 0
        gate = Gate(rawValue: node[path: "consistency", "readyRequires"]?.string ?? "") ?? .published
        strategy = Strategy(rawValue: node[path: "updateStrategy", "type"]?.string ?? "") ?? .rollingUpdate
        maxUnavailable = node[path: "updateStrategy", "maxUnavailable"]?.int ?? 1
        progressDeadlineMs = milliseconds(node["progressDeadlineSeconds"])
        runAsUser = node[path: "securityContext", "runAsUser"]?.int.map { UInt32(clamping: $0) }
        runAsGroup = node[path: "securityContext", "runAsGroup"]?.int.map { UInt32(clamping: $0) }
        readOnlyRoot = node[path: "securityContext", "readOnlyRootFilesystem"]?.bool ?? false
        droppedCapabilities = Set(
            strings(node[path: "securityContext", "capabilities", "drop"]).map(Capabilities.plainName))
        network = node[path: "network", "mode"]?.string.flatMap(Network.init)
        startupProbe = node["startupProbe"].flatMap(Probe.init)
        readinessProbe = node["readinessProbe"].flatMap(Probe.init)
        livenessProbe = node["livenessProbe"].flatMap(Probe.init)
        filesystem = node["filesystem"].map { Filesystem(read: strings($0["read"]), write: strings($0["write"])) }
        volumes = (node["volumes"]?.list ?? []).compactMap(Volume.init)
        volumeMounts = (node["volumeMounts"]?.list ?? []).map {
            VolumeMount(
                name: $0["name"]?.string ?? "", path: $0["mountPath"]?.string ?? "",
                isReadOnly: $0["readOnly"]?.bool ?? false)
        }
    }
}

extension AgentSpec.Probe {
    init?(_ node: Node) {
        if let command = node[path: "exec", "command"]?.list {
            action = .exec(command.compactMap(\.string))
        } else if let get = node["httpGet"] {
            let headers = (get["httpHeaders"]?.list ?? []).map { ($0["name"]?.string ?? "", $0["value"]?.string ?? "") }
            action = .httpGet(
                path: get["path"]?.string ?? "/", port: get["port"]?.int ?? 0,
                headers: Dictionary(headers, uniquingKeysWith: { first, _ in first }))
        } else if let port = node[path: "tcpSocket", "port"]?.int {
            action = .tcpSocket(port: port)
        } else {
            return nil
        }
        func milliseconds(_ name: String) -> Int64 { Int64(node[name]?.int ?? 0) * 1000 }
        initialDelayMs = milliseconds("initialDelaySeconds")
        periodMs = milliseconds("periodSeconds")
        timeoutMs = milliseconds("timeoutSeconds")
        successThreshold = node["successThreshold"]?.int ?? 1
        failureThreshold = node["failureThreshold"]?.int ?? 3
    }
}

extension AgentSpec.Volume {
    init?(_ node: Node) {
        name = node["name"]?.string ?? ""
        if node["persistent"] != nil {
            source = .persistent
        } else if node["emptyDir"] != nil {
            source = .emptyDir
        } else if let path = node[path: "hostPath", "path"]?.string {
            source = .hostPath(path)
        } else if let secret = node["secret"] {
            source = .secret(
                secret["secretName"]?.string ?? "", mode: secret["defaultMode"]?.int ?? 0o400,
                optional: secret["optional"]?.bool ?? false)
        } else if let map = node["configMap"] {
            source = .configMap(
                map["name"]?.string ?? "", mode: map["defaultMode"]?.int ?? 0o644,
                optional: map["optional"]?.bool ?? false)
        } else {
            return nil
        }
    }
}

/// The capabilities of the kernel that a manifest may drop.
public enum Capabilities {
    /// What a container may do beyond an ordinary user when it is root inside: Docker's set without raw sockets and
    /// device nodes.
    public static let defaults = [
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID",
    ]

    /// Kubernetes writes capabilities without `CAP_`; with it is understood too.
    static func plainName(_ name: String) -> String { name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name }
}

extension AgentSpec.EnvironmentVariable {
    init(_ node: Node) {
        name = node["name"]?.string ?? ""
        let from = node["valueFrom"]
        if let ref = from?["secretKeyRef"] {
            source = .secretKey(
                name: ref["name"]?.string ?? "", key: ref["key"]?.string ?? "", optional: ref["optional"]?.bool ?? false
            )
        } else if let ref = from?["configMapKeyRef"] {
            source = .configMapKey(
                name: ref["name"]?.string ?? "", key: ref["key"]?.string ?? "", optional: ref["optional"]?.bool ?? false
            )
        } else if let path = from?[path: "fieldRef", "fieldPath"]?.string {
            source = .field(path)
        } else {
            source = .value(node["value"]?.string ?? "")
        }
    }
}

extension AgentSpec.EnvironmentFrom {
    init?(_ node: Node) {
        guard let ref = node["secretRef"] ?? node["configMapRef"] else { return nil }
        prefix = node["prefix"]?.string ?? ""
        isSecret = node["secretRef"] != nil
        name = ref["name"]?.string ?? ""
        optional = ref["optional"]?.bool ?? false
    }
}

extension AgentSpec.Resources {
    init(_ node: Node?) {
        requestCpuMilli = node?[path: "requests", "cpu"].flatMap(Quantity.milli) ?? 0
        requestMemoryBytes = node?[path: "requests", "memory"].flatMap(Quantity.units) ?? 0
        limitCpuMilli = node?[path: "limits", "cpu"].flatMap(Quantity.milli)
        limitMemoryBytes = node?[path: "limits", "memory"].flatMap(Quantity.units)
        limitPids = node?[path: "limits", "pids"]?.int.map(Int64.init)
        limitOpenFiles = node?[path: "limits", "nofile"]?.int.map(Int64.init)
    }
}

extension AgentSpec {
    /// Does the change from one spec to another restart replicas? Compares the fields described as restart-relevant.
    public static func restartRelevantChanges(from old: Node, to new: Node) -> [String] {
        AgentFields.spec.filter { $0.restarts && old[$0.name] != new[$0.name] }.map { "spec.\($0.name)" }
    }

    /// Fields that the manifest sets and that need another driver than the process driver.
    public static let containerOnlyFields = ["image", "imageArchive", "volumes", "volumeMounts"]
}
