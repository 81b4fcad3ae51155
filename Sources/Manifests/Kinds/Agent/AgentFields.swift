import Values

/// The description of `kind: Agent`.
enum AgentFields {
    static let root = [Field("spec", .object(spec), required: true, text: "What should run."), ObjectFields.status]

    private static let paths = Shape.list(.string(.absolutePath), max: 200, nonEmpty: false)
    private static let strings = Shape.list(.string(.any), max: 1000, nonEmpty: false)

    static let spec: [Field] = [
        Field(
            "driver", .driver, restarts: true,
            text: "What isolates the agent."),
        Field(
            "replicas", .integer(0...Int64(Limits.replicasMax)), fallback: 1,
            text: "How many ordinals run; each keeps its identity."),
        Field("suspend", .boolean, fallback: false, text: "True: nothing runs, everything else is kept."),
        Field(
            "suspendMode", .enumeration(["Stop", "Freeze"]), fallback: "Stop",
            text: "Freeze keeps memory, where the driver can."),
        Field(
            "paused", .boolean, fallback: false,
            text: "True: changes that restart replicas wait; what runs is kept as it is, and started again as it was."),
        Field("image", .string(.nonEmpty), restarts: true, text: "Image reference; for containerd and gvisor."),
        Field("imageArchive", .string(.absolutePath), restarts: true, text: "OCI archive; for containerd and gvisor."),
        Field(
            "command", .list(.string(.any), max: 1000, nonEmpty: true), restarts: true,
            text: "Program and its first arguments, never given to a shell; without it the image's own."),
        Field("args", strings, restarts: true, text: "Further arguments."),
        Field(
            "workingDir", .string(.absolutePath), restarts: true,
            text: "Working directory; without it the replica's own, kept over runs."),
        Field(
            "env", .list(.object(env), max: Limits.envMax, nonEmpty: false), restarts: true,
            text: "Environment variables."),
        Field(
            "envFrom", .list(.object(envFrom), max: 64, nonEmpty: false), restarts: true,
            text: "ConfigMaps and Secrets whose every key becomes a variable."),
        Field("resources", .object(resources), restarts: true, text: "What the agent needs and may use at most."),
        Field(
            "restartPolicy", .words(of: AgentSpec.RestartPolicy.self), fallback: "Always",
            text: "When an ended run is followed by another."),
        Field("backoff", .object(backoff), fallback: .emptyMap, text: "Delays between attempts."),
        Field(
            "terminationGracePeriodSeconds", .integer(0...86_400), fallback: 10,
            text: "Seconds between stopSignal and SIGKILL; 0 kills at once."),
        Field(
            "stopSignal", .string(.signal),
            text: "The signal that asks the agent to stop; without it the image's, else SIGTERM."),
        Field(
            "startupProbe", .object(probe), restarts: true,
            text: "Probe that must succeed before the other probes start."),
        Field("readinessProbe", .object(probe), restarts: true, text: "Probe that decides about Ready."),
        Field("livenessProbe", .object(probe), restarts: true, text: "Probe whose failure restarts the run."),
        Field(
            "dependsOn", .list(.object(dependency), max: Limits.dependenciesMax, nonEmpty: false),
            text: "Agents of the same namespace that must get there first; checked before each start."),
        Field("priority", .integer(-1000...1000), fallback: 0, text: "Higher starts first."),
        Field(
            "consistency",
            .object([
                Field(
                    "readyRequires", .words(of: AgentSpec.Gate.self), fallback: "Published",
                    text: "How far the events of a start must have got before Ready.")
            ]), fallback: .emptyMap, text: "How control state and events align."),
        Field(
            "updateStrategy",
            .object([
                Field(
                    "type", .words(of: AgentSpec.Strategy.self), fallback: "RollingUpdate",
                    text: "Ordinal by ordinal, or all at once."),
                Field(
                    "maxUnavailable", .integer(1...Int64(Limits.replicasMax)), fallback: 1,
                    text: "Replicas that may be missing during a rolling update."),
            ]), fallback: .emptyMap, text: "How replicas are replaced; there is no surge."),
        Field(
            "progressDeadlineSeconds", .integer(1...86_400), fallback: 600,
            text: "Seconds after which a change that does not get Ready is reported."),
        Field("securityContext", .object(securityContext), restarts: true, text: "Identity and privileges."),
        Field(
            "volumes", .list(.object(volume), max: Limits.volumesMax, nonEmpty: false), restarts: true,
            text: "Directories that containers get; for containerd and gvisor."),
        Field(
            "volumeMounts", .list(.object(volumeMount), max: Limits.volumesMax, nonEmpty: false), restarts: true,
            text: "Where volumes appear."),
        Field(
            "network",
            .object([
                Field(
                    "mode", .words(of: AgentSpec.Network.self), required: true,
                    text: "None: loopback only. Host: the machine's. Bridge: an address of its own.")
            ]), restarts: true, text: "Network; containers have None unless they ask, processes the machine's."),
        Field(
            "filesystem",
            .object([
                Field("read", paths, text: "Paths that may be read and executed."),
                Field("write", paths, text: "Paths that may be changed, too."),
            ]), restarts: true,
            text:
                "For process: all of the file system that may be used, beside programs, libraries and the own directory."
        ),
    ]

    private static let keyRef: [Field] = [
        Field("name", .string(.subdomain), required: true, text: "Name of the object."),
        Field("key", .string(.configKey), required: true, text: "Key in its data."),
        Field(
            "optional", .boolean, fallback: false, text: "True: leave the variable out when object or key is missing."),
    ]

    private static let sourceRef: [Field] = [
        Field("name", .string(.subdomain), required: true, text: "Name of the object."),
        Field("optional", .boolean, fallback: false, text: "True: go on when the object is missing."),
    ]

    private static let env: [Field] = [
        Field("name", .string(.environmentName), required: true, text: "Name of the variable."),
        Field("value", .string(.any), text: "Value; $(VAR) stands for a variable defined before."),
        Field(
            "valueFrom",
            .union([
                Field("secretKeyRef", .object(keyRef), text: "A key of a Secret."),
                Field("configMapKeyRef", .object(keyRef), text: "A key of a ConfigMap."),
                Field(
                    "fieldRef",
                    .object([
                        Field(
                            "fieldPath", .string(.nonEmpty), required: true,
                            text: "metadata.name, metadata.namespace, metadata.uid or metadata.labels['KEY'].")
                    ]), text: "A field of the agent itself."),
            ]), text: "Where the value comes from."),
    ]

    private static let envFrom: [Field] = [
        Field("prefix", .string(.any), fallback: "", text: "Put before each key."),
        Field("configMapRef", .object(sourceRef), text: "A ConfigMap."),
        Field("secretRef", .object(sourceRef), text: "A Secret."),
    ]

    private static let resources: [Field] = [
        Field(
            "requests",
            .object([
                Field("cpu", .quantity(.cpu), text: "Cores that must be free to start."),
                Field("memory", .quantity(.memory), text: "Bytes that must be free to start."),
            ]), text: "What must be free on the machine before a start."),
        Field(
            "limits",
            .object([
                Field("cpu", .quantity(.cpu), text: "Cores at most."),
                Field("memory", .quantity(.memory), text: "Bytes at most; more ends the run as OOMKilled."),
                Field("pids", .integer(1...4_194_304), text: "Processes and threads at most."),
                Field("nofile", .integer(8...1_048_576), text: "Open files per process at most."),
            ]), text: "What the agent may use at most."),
    ]

    private static let port = Field("port", .integer(1...65_535), required: true, text: "TCP port of the agent.")

    private static let probe: [Field] = [
        Field(
            "exec",
            .object([
                Field(
                    "command", .list(.string(.any), max: 1000, nonEmpty: true), required: true,
                    text: "Runs where the agent runs; exit code 0 is success.")
            ]), text: "A command."),
        Field(
            "httpGet",
            .object([
                Field("path", .string(.absolutePath), fallback: "/", text: "Path of the request."), port,
                Field(
                    "httpHeaders",
                    .list(
                        .object([
                            Field("name", .string(.headerName), required: true, text: "Name of the header."),
                            Field("value", .string(.line), required: true, text: "Its value."),
                        ]), max: 64, nonEmpty: false), text: "Headers of the request."),
            ]), text: "An HTTP request; a status from 200 to 399 is success."),
        Field("tcpSocket", .object([port]), text: "A TCP connection; being accepted is success."),
        Field("initialDelaySeconds", .integer(0...86_400), fallback: 0, text: "Seconds before the first probe."),
        Field("periodSeconds", .integer(1...86_400), fallback: 10, text: "Seconds from probe to probe."),
        Field("timeoutSeconds", .integer(1...3600), fallback: 1, text: "Seconds after which a probe has failed."),
        Field("successThreshold", .integer(1...1000), fallback: 1, text: "Successes in a row that count."),
        Field("failureThreshold", .integer(1...1000), fallback: 3, text: "Failures in a row that count."),
    ]

    private static let volume: [Field] = [
        Field("name", .string(.label(63)), required: true, text: "What volumeMounts call it."),
        Field("persistent", .object([]), text: "A directory of the replica, kept over runs, removed with the agent."),
        Field("emptyDir", .object([]), text: "A directory of the run, removed when it is replaced."),
        Field(
            "hostPath",
            .object([
                Field(
                    "path", .string(.absolutePath), required: true,
                    text: "A directory of the machine, below one that the daemon's option --host-path allows.")
            ]), text: "A directory of the machine."),
        Field(
            "secret",
            .object([
                Field("secretName", .string(.subdomain), required: true, text: "Name of the Secret."),
                volumeMode(0o400),
                Field("optional", .boolean, fallback: false, text: "True: empty when the Secret is missing."),
            ]), text: "A file for each key of a Secret, in memory only."),
        Field(
            "configMap",
            .object([
                Field("name", .string(.subdomain), required: true, text: "Name of the ConfigMap."), volumeMode(0o644),
                Field("optional", .boolean, fallback: false, text: "True: empty when the ConfigMap is missing."),
            ]), text: "A file for each key of a ConfigMap."),
    ]

    private static func volumeMode(_ fallback: Int) -> Field {
        Field("defaultMode", .integer(0...0o777), fallback: .number(fallback), text: "Mode of the files.")
    }

    private static let volumeMount: [Field] = [
        Field("name", .string(.label(63)), required: true, text: "One of the volumes."),
        Field("mountPath", .string(.absolutePath), required: true, text: "Where it appears."),
        Field("readOnly", .boolean, fallback: false, text: "True: the agent cannot write there."),
    ]

    private static let backoff: [Field] = [
        Field("initialSeconds", .number(0...86_400), fallback: 1, text: "Delay before the first new attempt."),
        Field("maxSeconds", .number(0...86_400), fallback: 300, text: "Longest delay."),
        Field("factor", .number(1...100), fallback: 2, text: "Growth from attempt to attempt."),
        Field(
            "resetAfterSeconds", .number(0...864_000), fallback: 600,
            text: "Seconds of Ready after which the delay starts over."),
    ]

    private static let dependency: [Field] = [
        Field("name", .string(.label(53)), required: true, text: "An agent of the same namespace."),
        Field(
            "condition", .words(of: AgentSpec.Dependency.Condition.self), fallback: "Ready",
            text: "How far it must have got."),
    ]

    private static let securityContext: [Field] = [
        Field("runAsUser", .integer(0...4_294_967_294), text: "User id; without it an own one, if the daemon is root."),
        Field("runAsGroup", .integer(0...4_294_967_294), text: "Group id; without it as runAsUser."),
        Field(
            "fsGroup", .integer(0...4_294_967_294),
            text: "Group id that shares persistent and empty volumes; the agent is in it. For containerd and gvisor."),
        Field(
            "fsGroupChangePolicy", .enumeration(["Always", "OnRootMismatch"]),
            text: "Whether whole volumes are looked at, or their directory only; without it Always."),
        Field(
            "allowPrivilegeEscalation", .boolean, fallback: false,
            text: "Only false: no_new_privs is always set."),
        Field("readOnlyRootFilesystem", .boolean, text: "For containerd and gvisor."),
        Field(
            "capabilities",
            .object([
                Field("drop", .list(.string(.nonEmpty), max: 64, nonEmpty: false), text: "Capabilities to drop.")
            ]), text: "For containerd and gvisor."),
    ]
}
