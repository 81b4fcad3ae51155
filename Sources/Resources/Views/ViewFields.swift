import Manifests
import Values

/// The descriptions of what views show, as far as it is shown. Nobody writes it, so that nothing is checked by them.
enum ViewFields {
    private static let text = Shape.string(.any)
    private static let number = Shape.integer(0 ... .max)
    private static let labels = Shape.strings(.any, values: .any)

    private static func items(_ fields: [Field]) -> Shape {
        .list(.object(fields), max: Int(Int32.max), nonEmpty: false)
    }

    static let pod = ObjectFields.root(
        apiVersion: "v1", kind: "Pod", nameRule: .subdomain, isNamespaced: true,
        [
            Field("spec", .object(podSpec), text: "What the replica runs, made of its agent."),
            Field("status", .object(podStatus), text: "Where the replica stands."),
        ])

    private static let podSpec = [
        Field("containers", items(container), text: "The one program of the replica."),
        Field("restartPolicy", text, text: "When an ended run is followed by another."),
        Field("terminationGracePeriodSeconds", number, text: "Seconds between stopSignal and SIGKILL."),
        Field("dnsPolicy", text, text: "Always Default: names are found as on the machine."),
        Field("nodeName", text, text: "The machine; there is one."),
        Field("schedulerName", text, text: "Always agentos-apply."),
        Field("priority", .integer(-1000...1000), text: "Higher starts first."),
    ]

    private static let container = [
        Field("name", text, text: "Always agent."),
        Field("image", text, text: "Image of the agent, or its driver where it has none."),
        Field("command", .list(text, max: 1000, nonEmpty: false), text: "Program and its first arguments."),
        Field("args", .list(text, max: 1000, nonEmpty: false), text: "Further arguments."),
        Field("workingDir", text, text: "Working directory; without it the replica's own."),
        Field(
            "env",
            items([
                Field("name", text, text: "Name of the variable."), Field("value", text, text: "Its value."),
                Field("valueFrom", .anything, text: "Where its value comes from."),
            ]), text: "Environment variables."),
        Field(
            "resources",
            .object([
                Field("requests", labels, text: "What must be free to start."),
                Field("limits", labels, text: "What may be used at most."),
            ]), text: "What the replica needs and may use at most."),
        Field("terminationMessagePath", text, text: "Of no effect."),
        Field("terminationMessagePolicy", text, text: "Of no effect."),
        Field("imagePullPolicy", text, text: "Of no effect."),
    ]

    private static let podStatus = [
        Field("phase", text, text: "Pending, Running, Succeeded or Failed."),
        Field("reason", text, text: "Why, where there is a word for it."),
        Field("conditions", conditions, text: "Initialized, Ready, ContainersReady and PodScheduled."),
        Field("podIP", text, text: "Its own address, where it has one."),
        Field("podIPs", items([Field("ip", text, text: "The address.")]), text: "The same as a list."),
        Field("startTime", text, text: "When its run began."),
        Field("qosClass", text, text: "Always Burstable."),
        Field("observedGeneration", number, text: "The generation of the agent that this is about."),
        Field("containerStatuses", items(containerStatus), text: "The one program of the replica."),
    ]

    private static let conditions = items([
        Field("type", text, text: "What it speaks of."), Field("status", text, text: "True, False or Unknown."),
        Field("reason", text, text: "Why, as programs read it."), Field("message", text, text: "Why, in words."),
        Field("lastProbeTime", text, text: "Always absent."),
        Field("lastTransitionTime", text, text: "When its status changed."),
        Field("lastUpdateTime", text, text: "The same."),
    ])

    private static let containerStatus = [
        Field("name", text, text: "Always agent."),
        Field("ready", .boolean, text: "Whether it is ready."), Field("started", .boolean, text: "Whether it runs."),
        Field("restartCount", number, text: "Runs that followed another one."),
        Field("image", text, text: "As in the spec."), Field("imageID", text, text: "Digest of the image."),
        Field("containerID", text, text: "The current run."),
        Field("state", .object(state), text: "How the current run stands."),
        Field("lastState", .object(state), text: "How the run before ended."),
    ]

    private static let state = [
        Field(
            "waiting", .object([Field("reason", text, text: "Why."), Field("message", text, text: "Why, in words.")]),
            text: "It does not run yet, or not now."),
        Field("running", .object([Field("startedAt", text, text: "Since when.")]), text: "It runs."),
        Field(
            "terminated",
            .object([
                Field("exitCode", number, text: "The code, 128 and the signal for one that was killed."),
                Field("signal", number, text: "The signal that ended it."),
                Field("reason", text, text: "How it ended."),
                Field("message", text, text: "The same in words."), Field("startedAt", text, text: "When it began."),
                Field("finishedAt", text, text: "When it ended."), Field("containerID", text, text: "The run."),
            ]), text: "It has ended."),
    ]

    private static let selector = Field(
        "selector", .object([Field("matchLabels", labels, text: "The labels of its Pods.")]),
        text: "Which Pods are its own.")

    private static let template = Field(
        "template",
        .object([
            Field(
                "metadata",
                .object([
                    Field("labels", labels, text: "The labels of its Pods."),
                    Field("annotations", labels, text: "The revision whose template it is."),
                ]), text: "Metadata of its Pods."),
            Field("spec", .object(podSpec), text: "What its Pods run."),
        ]), text: "What its Pods are made of.")

    static let replicaSet = ObjectFields.root(
        apiVersion: "apps/v1", kind: "ReplicaSet", nameRule: .subdomain, isNamespaced: true,
        [
            Field(
                "spec",
                .object([
                    Field("replicas", number, text: "How many should run, of the current revision."), selector,
                    template,
                ]), text: "What a revision runs, made of the agent."),
            Field(
                "status",
                .object([
                    Field("observedGeneration", number, text: "Always 1: a revision does not change."),
                    Field("replicas", number, text: "Replicas, of the current revision."),
                    Field("fullyLabeledReplicas", number, text: "The same."),
                    Field("readyReplicas", number, text: "Replicas that are ready."),
                    Field("availableReplicas", number, text: "The same."),
                ]), text: "Where the revision stands."),
        ])

    static let deployment = ObjectFields.root(
        apiVersion: "apps/v1", kind: "Deployment", nameRule: .subdomain, isNamespaced: true,
        [
            Field(
                "spec",
                .object([
                    Field("replicas", number, text: "How many should run; 0 while the agent is suspended."), selector,
                    Field("paused", .boolean, text: "True: changes that restart replicas wait."), template,
                    Field(
                        "strategy", .object([Field("type", text, text: "RollingUpdate or Recreate.")]),
                        text: "How replicas are replaced; there is no surge."),
                    Field(
                        "progressDeadlineSeconds", number,
                        text: "Seconds after which a change that does not get Ready is reported."),
                ]), text: "What should run, made of the agent."),
            Field(
                "status",
                .object([
                    Field("observedGeneration", number, text: "The generation of the agent that this is about."),
                    Field("replicas", number, text: "Replicas."),
                    Field("updatedReplicas", number, text: "Replicas of the current revision."),
                    Field("readyReplicas", number, text: "Replicas that are ready."),
                    Field("availableReplicas", number, text: "The same."),
                    Field("unavailableReplicas", number, text: "Replicas that are not."),
                    Field("conditions", conditions, text: "Available and Progressing."),
                ]), text: "Where the agent stands."),
        ])

    static let podMetrics = ObjectFields.root(
        apiVersion: "metrics.k8s.io/v1beta1", kind: "PodMetrics", nameRule: .subdomain, isNamespaced: true,
        [
            Field("timestamp", text, text: "The end of the window."),
            Field("window", text, text: "Over which cpu is a mean."),
            Field(
                "containers",
                items([
                    Field("name", text, text: "Always agent."),
                    Field("usage", labels, text: "cpu in cores, memory in bytes."),
                ]), text: "The one program of the replica."),
        ])
}
