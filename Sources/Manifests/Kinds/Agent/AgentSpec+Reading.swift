public import Values

extension AgentSpec {
    /// Reads a stored spec. Guarantee: ends for every node; what the description refuses is in `problem`.
    public init(_ node: Node) {
        let spec = FieldReader(node, AgentFields.spec, path: "spec")
        let update = spec.inner("updateStrategy")
        let security = spec.inner("securityContext")
        driver = spec.text("driver")
        replicas = spec.count("replicas")
        suspend = spec.flag("suspend")
        freezes = spec.text("suspendMode") == "Freeze"
        paused = spec.flag("paused")
        image = spec.textIfSet("image")
        imageArchive = spec.textIfSet("imageArchive")
        command = spec.strings("command")
        arguments = spec.strings("args")
        workingDir = spec.textIfSet("workingDir")
        environment = spec.items("env").map(EnvironmentVariable.init)
        environmentFrom = spec.items("envFrom").compactMap(EnvironmentFrom.init)
        resources = Resources(spec.inner("resources"))
        restartPolicy = spec.word("restartPolicy")
        backoff = Backoff(spec.inner("backoff"))
        gracePeriodMs = spec.milliseconds("terminationGracePeriodSeconds")
        stopSignal = Signals.number(of: spec.text("stopSignal"))
        dependsOn = spec.items("dependsOn").map {
            Dependency(name: $0.text("name"), condition: $0.word("condition"))
        }
        priority = spec.count("priority")
        gate = spec.inner("consistency").word("readyRequires")
        strategy = update.word("type")
        maxUnavailable = update.count("maxUnavailable")
        progressDeadlineMs = spec.milliseconds("progressDeadlineSeconds")
        runAsUser = security.integerIfSet("runAsUser").map { UInt32(clamping: $0) }
        runAsGroup = security.integerIfSet("runAsGroup").map { UInt32(clamping: $0) }
        fsGroup = security.integerIfSet("fsGroup").map { UInt32(clamping: $0) }
        fsGroupIsAlwaysApplied = security.textIfSet("fsGroupChangePolicy") != "OnRootMismatch"
        readOnlyRoot = security.flag("readOnlyRootFilesystem")
        droppedCapabilities = Set(security.inner("capabilities").strings("drop").map(Capabilities.plainName))
        network = spec.inner("network").wordIfSet("mode")
        startupProbe = spec.innerIfSet("startupProbe").flatMap(Probe.init)
        readinessProbe = spec.innerIfSet("readinessProbe").flatMap(Probe.init)
        livenessProbe = spec.innerIfSet("livenessProbe").flatMap(Probe.init)
        filesystem = spec.innerIfSet("filesystem").map {
            Filesystem(read: $0.strings("read"), write: $0.strings("write"))
        }
        volumes = spec.items("volumes").compactMap(Volume.init)
        volumeMounts = spec.items("volumeMounts").map {
            VolumeMount(name: $0.text("name"), path: $0.text("mountPath"), isReadOnly: $0.flag("readOnly"))
        }
        problem = spec.problems.first
    }
}

extension AgentSpec.Backoff {
    init(_ field: FieldReader) {
        initialMs = field.milliseconds("initialSeconds")
        maxMs = field.milliseconds("maxSeconds")
        factor = field.number("factor")
        resetAfterMs = field.milliseconds("resetAfterSeconds")
    }
}

extension AgentSpec.Resources {
    init(_ field: FieldReader) {
        let requests = field.inner("requests")
        let limits = field.inner("limits")
        requestCpuMilli = requests.quantityIfSet("cpu") ?? 0
        requestMemoryBytes = requests.quantityIfSet("memory") ?? 0
        limitCpuMilli = limits.quantityIfSet("cpu")
        limitMemoryBytes = limits.quantityIfSet("memory")
        limitPids = limits.integerIfSet("pids")
        limitOpenFiles = limits.integerIfSet("nofile")
    }
}

extension AgentSpec.Probe {
    init?(_ field: FieldReader) {
        if let exec = field.innerIfSet("exec") {
            action = .exec(exec.strings("command"))
        } else if let get = field.innerIfSet("httpGet") {
            let headers = get.items("httpHeaders").map { ($0.text("name"), $0.text("value")) }
            action = .httpGet(
                path: get.text("path"), port: get.count("port"),
                headers: Dictionary(headers, uniquingKeysWith: { first, _ in first }))
        } else if let socket = field.innerIfSet("tcpSocket") {
            action = .tcpSocket(port: socket.count("port"))
        } else {
            return nil
        }
        initialDelayMs = field.milliseconds("initialDelaySeconds")
        periodMs = field.milliseconds("periodSeconds")
        timeoutMs = field.milliseconds("timeoutSeconds")
        successThreshold = field.count("successThreshold")
        failureThreshold = field.count("failureThreshold")
    }
}

extension AgentSpec.Volume {
    init?(_ field: FieldReader) {
        name = field.text("name")
        if field.has("persistent") {
            source = .persistent
        } else if field.has("emptyDir") {
            source = .emptyDir
        } else if let path = field.innerIfSet("hostPath") {
            source = .hostPath(path.text("path"))
        } else if let secret = field.innerIfSet("secret") {
            source = .secret(
                secret.text("secretName"), mode: secret.count("defaultMode"), optional: secret.flag("optional"))
        } else if let map = field.innerIfSet("configMap") {
            source = .configMap(map.text("name"), mode: map.count("defaultMode"), optional: map.flag("optional"))
        } else {
            return nil
        }
    }
}

extension AgentSpec.EnvironmentVariable {
    init(_ field: FieldReader) {
        name = field.text("name")
        let from = field.inner("valueFrom")
        if let ref = from.innerIfSet("secretKeyRef") {
            source = .secretKey(name: ref.text("name"), key: ref.text("key"), optional: ref.flag("optional"))
        } else if let ref = from.innerIfSet("configMapKeyRef") {
            source = .configMapKey(name: ref.text("name"), key: ref.text("key"), optional: ref.flag("optional"))
        } else if let path = from.innerIfSet("fieldRef") {
            source = .field(path.text("fieldPath"))
        } else {
            source = .value(field.text("value"))
        }
    }
}

extension AgentSpec.EnvironmentFrom {
    init?(_ field: FieldReader) {
        guard let ref = field.innerIfSet("secretRef") ?? field.innerIfSet("configMapRef") else { return nil }
        prefix = field.text("prefix")
        isSecret = field.has("secretRef")
        name = ref.text("name")
        optional = ref.flag("optional")
    }
}

extension AgentSpec {
    /// The spec with the usual driver where it names none, and with what its driver makes of what it leaves open.
    func completed(by drivers: DriverTable) -> AgentSpec {
        var spec = self
        if driver.isEmpty, let usual = drivers.usual { spec.driver = usual.name }
        spec.network = network ?? drivers[spec.driver]?.usualNetwork
        return spec
    }

    /// The annotation whose new value asks for new replicas; its value is a time.
    public static let restartAnnotation = "agentos.dev/restarted-at"

    /// The fields described as restart-relevant in which two specs differ. Another spelling of a value is no difference.
    public static func restartRelevantChanges(from old: Node, to new: Node, drivers: DriverTable) -> [String] {
        let differing = AgentFields.spec.filter { $0.restarts && old[$0.name] != new[$0.name] }
        guard !differing.isEmpty else { return [] }
        let before = AgentSpec(old).completed(by: drivers)
        return differing.filter { field in
            var changed = old
            changed[field.name] = new[field.name]
            return AgentSpec(changed).completed(by: drivers) != before
        }.map { "spec.\($0.name)" }
    }
}
