public import Values

/// The decoded `spec` of a Source; what it does not say has its default already.
public struct SourceSpec: Sendable, Equatable {
    public struct Git: Sendable, Equatable {
        public var url: String
        public var branch: String
        public var path: String
        public var intervalMs: Int64
        public var secret: String?
    }

    public enum Drift: String, Sendable, CaseIterable {
        case correct = "Correct"
        case warn = "Warn"
    }

    public var path: String?
    public var git: Git?
    public var intervalMs: Int64
    public var suspend: Bool
    public var drift: Drift
    public var prune: Bool
    public var pruneLimitPercent: Int
    public var timeoutMs: Int64

    /// Whether its next sync takes back what others change of its objects.
    public var corrects: Bool { !suspend && drift == .correct }

    /// What the description of the kind refuses in the spec that this was read from.
    public var problem: String?

    /// Reads a stored spec. Guarantee: ends for every node; what the description refuses is in `problem`.
    public init(_ node: Node) {
        let spec = FieldReader(node, SourceFields.spec, path: "spec")
        path = spec.textIfSet("path")
        git = spec.innerIfSet("git").map {
            Git(
                url: $0.text("url"), branch: $0.text("branch"), path: $0.text("path"),
                intervalMs: $0.duration("interval"),
                secret: $0.innerIfSet("secretRef")?.text("name"))
        }
        intervalMs = spec.duration("interval")
        suspend = spec.flag("suspend")
        drift = spec.word("drift")
        prune = spec.flag("prune")
        pruneLimitPercent = spec.count("pruneLimitPercent")
        timeoutMs = spec.milliseconds("timeoutSeconds")
        problem = spec.problems.first
    }
}
