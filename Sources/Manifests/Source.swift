public import Values

/// The description of `kind: Source`: a directory, or a branch of a Git repository, that the daemon keeps true.
enum SourceFields {
    static let root = CoreFields.root(
        .source, nameRule: .label(63),
        [
            Field("spec", .object(spec), required: true, text: "Where objects are declared, and how they are kept."),
            CoreFields.status,
        ])

    private static let spec: [Field] = [
        Field(
            "path", .string(.absolutePath),
            text: "A directory of the machine, below one that the daemon's options --source-path and --watch allow."),
        Field(
            "git",
            .object([
                Field(
                    "url", .string(.gitURL), required: true,
                    text: "https://…, ssh://…, user@host:path, or file://… below an allowed directory."),
                Field("branch", .string(.nonEmpty), fallback: "main", text: "The branch that is followed."),
                Field("path", .string(.nonEmpty), fallback: ".", text: "The directory in the repository."),
                Field("interval", .string(.duration), fallback: "60s", text: "Time from poll to poll, such as 30s."),
                Field(
                    "secretRef",
                    .object([Field("name", .string(.subdomain), required: true, text: "Name of a Secret.")]),
                    text: "Credentials: the keys username and password, or identity and known_hosts."),
            ]), text: "A branch of a Git repository, of which the daemon keeps a clone."),
        Field(
            "interval", .string(.duration), fallback: "30s",
            text: "Time after which everything is looked at again, whatever changes were told."),
        Field("suspend", .boolean, fallback: false, text: "True: nothing is applied, corrected or deleted."),
        Field(
            "drift", .enumeration(["Correct", "Warn"]), fallback: "Correct",
            text: "What happens to changes by others to fields that are declared here."),
        Field("prune", .boolean, fallback: true, text: "True: what is no longer declared is deleted."),
        Field(
            "pruneLimitPercent", .integer(0...100), fallback: 50,
            text: "The share of its objects, but at least 5, that one sync deletes; more waits for 'sync --force'."),
        Field(
            "timeoutSeconds", .integer(1...86_400), fallback: 300,
            text: "Seconds after a change within which all its agents must be Ready."),
    ]
}

/// The decoded `spec` of a Source; what it does not say has its default already.
public struct SourceSpec: Sendable, Equatable {
    public struct Git: Sendable, Equatable {
        public var url: String
        public var branch: String
        public var path: String
        public var intervalMs: Int64
        public var secret: String?
    }

    public enum Drift: String, Sendable {
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

    public init(_ node: Node) {
        path = node["path"]?.string
        git = node["git"].map { git in
            Git(
                url: git["url"]?.string ?? "", branch: git["branch"]?.string ?? "main",
                path: git["path"]?.string ?? ".", intervalMs: Durations.milliseconds(git["interval"]?.string) ?? 60_000,
                secret: git[path: "secretRef", "name"]?.string)
        }
        intervalMs = Durations.milliseconds(node["interval"]?.string) ?? 30_000
        suspend = node["suspend"]?.bool ?? false
        drift = Drift(rawValue: node["drift"]?.string ?? "") ?? .correct
        prune = node["prune"]?.bool ?? true
        pruneLimitPercent = node["pruneLimitPercent"]?.int ?? 50
        timeoutMs = Int64(node["timeoutSeconds"]?.int ?? 300) * 1000
    }
}

extension Validator {
    mutating func checkSource(_ object: Node) {
        guard let spec = object["spec"] else { return }
        if (spec["path"] == nil) == (spec["git"] == nil) {
            report(spec.mark, "spec", "expected exactly one of path, git")
        }
        for (field, path) in [("spec.path", spec["path"]), ("spec.git.path", spec[path: "git", "path"])] {
            guard let path, (path.string ?? "").split(separator: "/").contains("..") else { continue }
            report(path.mark, field, "must not hold \"..\"")
        }
        if let branch = spec[path: "git", "branch"], let name = branch.string,
            name.hasPrefix("-") || name.contains("..") || name.utf8.contains(where: { $0 <= 0x20 })
        {
            report(branch.mark, "spec.git.branch", "must be the name of a branch")
        }
    }
}
