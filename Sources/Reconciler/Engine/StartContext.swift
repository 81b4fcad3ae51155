import Manifests
public import Planner
import Values

/// What a start needs beside the run itself. Holds secret values: never stored, logged or shown.
public struct StartContext: Sendable {
    public var namespace: String
    public var agent: String
    public var ownUser: UInt32?
    public var arguments: [String]
    public var environment: [(name: String, value: String)]
    public var volumes: [Volume]
    /// Why no program can be given this; never a value.
    public var problem: String?

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
        environment: [(name: String, value: String)], volumes: [Volume], problem: String? = nil
    ) {
        self.namespace = namespace
        self.agent = agent
        self.ownUser = ownUser
        self.arguments = arguments
        self.environment = environment
        self.volumes = volumes
        self.problem = problem
    }
}

extension Engine {
    /// What a committed start needs, from committed state; nil when the run is not current any more.
    public func startContext(_ run: Run) -> StartContext? {
        guard let key = state.keysByUID[run.id.uid], let object = state.objects[key], let agent = object.agent else {
            return nil
        }
        var variables: [(name: String, value: String)] = []
        let given = [
            ("AGENTOS_NAMESPACE", key.namespace), ("AGENTOS_AGENT", key.name),
            ("AGENTOS_ORDINAL", String(run.id.ordinal)), ("AGENTOS_RUN", run.id.text),
        ]
        // All of the agent's variables may refer to the given ones, and none replaces them.
        var known = Dictionary(given, uniquingKeysWith: { first, _ in first })
        func add(_ name: String, _ value: String) {
            if known.updateValue(value, forKey: name) != nil { variables.removeAll { $0.name == name } }
            variables.append((name, value))
        }
        func isGiven(_ name: String) -> Bool { given.contains { $0.0 == name } }
        var problem: String?
        func data(_ kind: Kind, _ name: String) -> [String: String] {
            state.objects[ObjectKey(kind, namespace: key.namespace, name: name)]?.content["data"]?.stringMap ?? [:]
        }
        /// As for Kubernetes, a variable is text: what is not is refused before it would be given away as something else.
        func text(_ value: String, _ kind: Kind, _ name: String, key: String) -> String {
            if !kind.traits.hidesData { return value }
            let bytes = Base64.decode(value) ?? []
            if let text = String(validating: bytes, as: UTF8.self) { return text }
            problem =
                problem
                ?? "key \"\(key)\" of Secret \"\(name)\" is not UTF-8, as a variable has to be; give it as text, such as base64, "
                + "or mount it as a volume"
            return ""
        }
        for from in run.spec.environmentFrom {
            let kind = from.isSecret ? Kind.secret : .configMap
            for (name, value) in data(kind, from.name).sorted(by: { $0.key < $1.key })
            where StringRule.environmentName.accepts(from.prefix + name) && !isGiven(from.prefix + name) {
                add(from.prefix + name, text(value, kind, from.name, key: name))
            }
        }
        for variable in run.spec.environment {
            switch variable.source {
            case .value(let text): add(variable.name, Expansion.expand(text, known))
            case .secretKey(let name, let field, _):
                if let value = data(.secret, name)[field] {
                    add(variable.name, text(value, .secret, name, key: field))
                }
            case .configMapKey(let name, let field, _):
                if let value = data(.configMap, name)[field] { add(variable.name, value) }
            case .field(let path): add(variable.name, fieldValue(path, object))
            }
        }
        variables += given.map { (name: $0.0, value: $0.1) }
        let arguments = (run.spec.command + run.spec.arguments).map { Expansion.expand($0, known) }
        return StartContext(
            namespace: key.namespace, agent: key.name, ownUser: agent.ownUser, arguments: arguments,
            environment: variables, volumes: volumes(run.spec, key.namespace), problem: problem)
    }

    private func volumes(_ spec: AgentSpec, _ namespace: String) -> [StartContext.Volume] {
        func files(_ kind: Kind, _ name: String) -> [String: [UInt8]] {
            let object = state.objects[ObjectKey(kind, namespace: namespace, name: name)]
            let values = object?.content["data"]?.stringMap ?? [:]
            return values.mapValues { kind.traits.hidesData ? Base64.decode($0) ?? [] : Array($0.utf8) }
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
