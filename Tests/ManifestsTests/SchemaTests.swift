import Drivers
import Manifests
import Testing
import Values

/// The schema that editors read, against a list of the fields that was written by hand.
@Suite struct SchemaTests {
    private static let metadata = """
        metadata: name namespace labels annotations finalizers uid resourceVersion generation creationTimestamp
        deletionTimestamp deletionGracePeriodSeconds managedFields declaredBy generateName selfLink ownerReferences
        ownerReferences[].apiVersion ownerReferences[].kind ownerReferences[].name ownerReferences[].uid
        ownerReferences[].controller ownerReferences[].blockOwnerDeletion
        """

    private static func probe(_ name: String) -> String {
        """
        spec.\(name): exec exec.command httpGet httpGet.path httpGet.port httpGet.httpHeaders httpGet.httpHeaders[].name
        httpGet.httpHeaders[].value tcpSocket tcpSocket.port initialDelaySeconds periodSeconds timeoutSeconds
        successThreshold failureThreshold
        """
    }

    /// One field or group a line: the words before the colon are the path of those after it.
    static let fields: [Kind: [String]] = [
        .agent: [
            "apiVersion kind status", metadata,
            "spec: driver replicas suspend suspendMode paused image imageArchive command args workingDir env envFrom resources",
            "spec: restartPolicy backoff terminationGracePeriodSeconds stopSignal dependsOn priority consistency",
            "spec: updateStrategy progressDeadlineSeconds securityContext volumes volumeMounts network filesystem",
            "spec.env[]: name value valueFrom",
            "spec.env[].valueFrom: secretKeyRef secretKeyRef.name secretKeyRef.key secretKeyRef.optional",
            "spec.env[].valueFrom: configMapKeyRef configMapKeyRef.name configMapKeyRef.key configMapKeyRef.optional",
            "spec.env[].valueFrom: fieldRef fieldRef.fieldPath",
            "spec.envFrom[]: prefix configMapRef configMapRef.name configMapRef.optional secretRef secretRef.name",
            "spec.envFrom[]: secretRef.optional",
            "spec.resources: requests requests.cpu requests.memory limits limits.cpu limits.memory limits.pids",
            "spec.resources: limits.nofile",
            "spec.backoff: initialSeconds maxSeconds factor resetAfterSeconds",
            probe("startupProbe"), probe("readinessProbe"), probe("livenessProbe"),
            "spec.dependsOn[]: name condition", "spec.consistency: readyRequires",
            "spec.updateStrategy: type maxUnavailable",
            "spec.securityContext: runAsUser runAsGroup allowPrivilegeEscalation readOnlyRootFilesystem capabilities "
                + "fsGroup fsGroupChangePolicy",
            "spec.securityContext: capabilities.drop",
            "spec.volumes[]: name persistent emptyDir hostPath hostPath.path",
            "spec.volumes[]: secret secret.secretName secret.defaultMode secret.optional",
            "spec.volumes[]: configMap configMap.name configMap.defaultMode configMap.optional",
            "spec.volumeMounts[]: name mountPath readOnly", "spec.network: mode", "spec.filesystem: read write",
        ],
        .source: [
            "apiVersion kind status", metadata,
            "spec: path git interval suspend drift prune pruneLimitPercent timeoutSeconds",
            "spec.git: url branch path interval secretRef secretRef.name",
        ],
        .secret: [
            "apiVersion kind type data stringData dataFrom", metadata, "dataFrom[]: key file environment",
        ],
        .configMap: ["apiVersion kind data", metadata],
        .serviceAccount: [
            "apiVersion kind automountServiceAccountToken", metadata, "imagePullSecrets[]: name",
            "secrets[]: name namespace kind",
        ],
        .role: ["apiVersion kind", metadata, "rules[]: verbs apiGroups resources resourceNames nonResourceURLs"],
        .clusterRole: [
            "apiVersion kind aggregationRule", metadata.replacing("namespace ", with: ""),
            "rules[]: verbs apiGroups resources resourceNames nonResourceURLs",
        ],
        .roleBinding: [
            "apiVersion kind", metadata, "roleRef: apiGroup kind name", "subjects[]: kind name namespace apiGroup",
        ],
        .clusterRoleBinding: [
            "apiVersion kind", metadata.replacing("namespace ", with: ""), "roleRef: apiGroup kind name",
            "subjects[]: kind name namespace apiGroup",
        ],
        .event: [
            "apiVersion kind reason message firstTimestamp lastTimestamp count type eventTime action", metadata,
            "reportingComponent reportingInstance", "source: component host", "series: count lastObservedTime",
            "involvedObject: apiVersion kind namespace name uid resourceVersion fieldPath",
            "related: apiVersion kind namespace name uid resourceVersion fieldPath",
        ],
        .lease: [
            "apiVersion kind", metadata,
            "spec: holderIdentity leaseDurationSeconds acquireTime renewTime leaseTransitions strategy preferredHolder",
        ],
        .resourceQuota: ["apiVersion kind status", metadata, "spec: hard scopes"],
        .objective: [
            "apiVersion kind status", metadata.replacing("namespace ", with: ""),
            "spec: indicator target threshold window minimumEvents freeze",
        ],
        .namespace: ["apiVersion kind spec status", metadata.replacing("namespace ", with: "")],
    ]

    private static func expected(_ kind: Kind) -> Set<String> {
        var found: Set<String> = []
        for line in fields[kind] ?? [] {
            let parts = line.split(separator: ":")
            let path = parts.count == 2 ? String(parts[0]) : ""
            // The group itself is a field, too; that of an item is its list.
            if !path.isEmpty { found.insert(path.hasSuffix("[]") ? String(path.dropLast(2)) : path) }
            for name in parts[parts.count - 1].split(whereSeparator: \.isWhitespace) {
                found.insert(path.isEmpty ? String(name) : "\(path).\(name)")
            }
        }
        if found.contains(where: { $0.hasPrefix("spec.") }) { found.insert("spec") }
        return found
    }

    private static func described(_ schema: Node, _ path: String = "") -> Set<String> {
        var found: Set<String> = []
        for entry in schema["properties"]?.map?.entries ?? [] {
            let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            found.insert(inner)
            found.formUnion(described(entry.value, inner))
        }
        if let items = schema["items"] { found.formUnion(described(items, "\(path)[]")) }
        return found
    }

    @Test(arguments: Kind.allCases) func theSchemaSpeaksOfAllFields(_ kind: Kind) {
        let (described, expected) = (Self.described(JSONSchema.node(for: kind, drivers: .all)), Self.expected(kind))
        let missing = expected.subtracting(described).sorted()
        let surplus = described.subtracting(expected).sorted()
        #expect(missing.isEmpty && surplus.isEmpty, "\(kind.rawValue)")
        let text = JSONWriter.text(JSONSchema.node(for: kind, drivers: .all))
        #expect(JSONReader.read(text) == JSONSchema.node(for: kind, drivers: .all))
    }
}
