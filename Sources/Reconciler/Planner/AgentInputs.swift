public import Manifests

extension AgentSpec {
    /// A Secret or ConfigMap, or one key of it, that the environment or a volume is made from.
    public struct Input: Sendable, Equatable {
        public var kind: Kind
        public var name: String
        /// Nil: all of its keys.
        public var key: String?
        /// The agent starts without it, too.
        public var isOptional: Bool

        public init(kind: Kind, name: String, key: String?, isOptional: Bool) {
            self.kind = kind
            self.name = name
            self.key = key
            self.isOptional = isOptional
        }

        /// How a run remembers which of them it was made from.
        public var place: String { "\(kind.rawValue)/\(name)" }

        /// That it is missing, in words; of an object that is there, that its key is missing.
        var missing: String {
            guard let key else { return "\(kind.rawValue) \"\(name)\" does not exist" }
            return "\(kind.rawValue) \"\(name)\" has no key \"\(key)\""
        }
    }

    /// All that the environment and the volumes are made from.
    public var inputs: [Input] {
        var result: [Input] = []
        for variable in environment {
            switch variable.source {
            case .secretKey(let name, let key, let optional):
                result.append(Input(kind: .secret, name: name, key: key, isOptional: optional))
            case .configMapKey(let name, let key, let optional):
                result.append(Input(kind: .configMap, name: name, key: key, isOptional: optional))
            case .value, .field: break
            }
        }
        for from in environmentFrom {
            result.append(
                Input(
                    kind: from.isSecret ? .secret : .configMap, name: from.name, key: nil, isOptional: from.optional))
        }
        for volume in volumes {
            switch volume.source {
            case .secret(let name, _, let optional):
                result.append(Input(kind: .secret, name: name, key: nil, isOptional: optional))
            case .configMap(let name, _, let optional):
                result.append(Input(kind: .configMap, name: name, key: nil, isOptional: optional))
            case .persistent, .emptyDir, .hostPath: break
            }
        }
        return result
    }
}

extension AgentSpec {
    /// The labels of the agent whose values its environment shows.
    public var labelsRead: Set<String> {
        var labels: Set<String> = []
        for variable in environment {
            if case .field(let path) = variable.source, case .label(let label)? = FieldPath(path) {
                labels.insert(label)
            }
        }
        return labels
    }
}
