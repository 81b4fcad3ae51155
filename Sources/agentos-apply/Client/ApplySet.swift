import HTTPClient
package import Manifests
import Values

/// What is applied together under one name, remembered in a Secret and in a label of each object: the form that kubectl
/// gives it, so that either can go on where the other stopped.
///
/// Source: Kubernetes' KEP-3659. Guarantee: an object whose place the Secret does not name is never looked for, and the
/// Secret names a place before anything is put there.
package struct ApplySet {
    package static let memberLabel = "applyset.kubernetes.io/part-of"
    private static let idLabel = "applyset.kubernetes.io/id"
    private static let tooling = "applyset.kubernetes.io/tooling"
    private static let kinds = "applyset.kubernetes.io/contains-group-kinds"
    private static let namespaces = "applyset.kubernetes.io/additional-namespaces"
    /// An object with this annotation is kept, as by Sources.
    private static let protection = "agentos.dev/prune"

    /// Where members may be.
    private struct Places: Equatable {
        var kinds: Set<Kind> = []
        var namespaces: Set<String> = []
    }

    package let name: String
    package let namespace: String
    package let id: String
    private var before = Places()
    private var now = Places()
    private var members: Set<String> = []

    package init(name: String, namespace: String, manifests: [Manifest] = []) {
        self.name = name
        self.namespace = namespace
        let digest = Base64.encode(SHA256Digest.bytes(Array("\(name).\(namespace).Secret.".utf8)))
        id = "applyset-\(digest.filter { $0 != "=" }.replacing("+", with: "-").replacing("/", with: "_"))-v1"
        for manifest in manifests {
            now.kinds.insert(manifest.kind)
            if manifest.kind.isNamespaced { now.namespaces.insert(manifest.namespace) }
            members.insert(Self.key(manifest.kind, manifest.namespace, manifest.name))
        }
    }

    private static func key(_ kind: Kind, _ namespace: String, _ name: String) -> String {
        "\(kind.rawValue)/\(kind.isNamespaced ? namespace : "")/\(name)"
    }

    /// The manifest as a member.
    package func marked(_ manifest: Manifest) -> Manifest {
        var manifest = manifest
        var metadata = manifest.applied["metadata"] ?? .emptyMap
        var labels = metadata["labels"] ?? .emptyMap
        labels[Self.memberLabel] = .text(id)
        metadata["labels"] = labels
        manifest.applied["metadata"] = metadata
        return manifest
    }

    /// Refuses, before anything is sent, to take what belongs to another set, as kubectl does.
    private func checkMembers(_ manifests: [Manifest], _ session: Session) throws {
        var taken: [(object: String, set: String)] = []
        for manifest in manifests {
            let own = manifest.applied[path: "metadata", "labels", Self.memberLabel]?.string
            if let own, own != id { taken.append(("\(manifest.file):\(manifest.mark.line)", own)) }
        }
        let query = [("labelSelector", "\(Self.memberLabel),\(Self.memberLabel)!=\(id)")]
        for kind in now.kinds.sorted() {
            for place in kind.isNamespaced ? now.namespaces.sorted() : [""] {
                let others = try session.list(kind, namespace: place, query: query) { ObjectView($0) }.rows
                for object in others where members.contains(Self.key(kind, place, object.name)) {
                    let name =
                        "\(kind.qualifiedSingular)/\(object.name)\(place.isEmpty ? "" : " in namespace \(place)")"
                    taken.append((name, object.node[path: "metadata", "labels", Self.memberLabel]?.string ?? ""))
                }
            }
        }
        guard let first = taken.first else { return }
        for (object, set) in taken.prefix(Self.takenToldMax) {
            Terminal.printError("\(object) belongs to \(owner(set, session))")
        }
        let more = taken.count > 1 ? " and \(taken.count - 1) more" : ""
        throw CommandProblem(
            .conflict,
            "\(first.object)\(more): what belongs to another ApplySet is not taken from it; nothing was applied.\n"
                + "Leave it out here, or let it go there: agentos-apply label KIND NAME \(Self.memberLabel)-")
    }

    private static let takenToldMax = 20

    /// The set with an id, by name where it can be found.
    private func owner(_ id: String, _ session: Session) -> String {
        let query = [("labelSelector", "\(Self.idLabel)=\(id)")]
        let found = try? session.list(.secret, namespace: nil, query: query) { ObjectView($0) }.rows.first
        return found.map { "the ApplySet secret/\($0.name) in namespace \($0.namespace)" } ?? "the ApplySet \(id)"
    }

    // MARK: The Secret

    private var path: String { Session.path(.secret, namespace: namespace, name: name) }

    /// Reads what was applied before, and remembers also what is to come, unless it is another set's.
    mutating func begin(_ manifests: [Manifest], _ session: Session, isDryRun: Bool) throws {
        let found = try session.answer(Client.Request("GET", path))
        if found.isSuccess {
            let secret = ObjectView(try session.node(found)).node
            guard secret[path: "metadata", "labels", Self.idLabel]?.string == id else {
                throw CommandProblem(
                    .conflict, "secret/\(name) in namespace \(namespace) is there and is no ApplySet; give another name"
                )
            }
            func words(_ annotation: String) -> [String] {
                (secret[path: "metadata", "annotations", annotation]?.string ?? "").split(separator: ",").map(
                    String.init)
            }
            before.kinds = Set(words(Self.kinds).compactMap(Kind.named))
            before.namespaces = Set(words(Self.namespaces) + [namespace])
        } else if found.status != 404 {
            throw session.problem(found)
        }
        try checkMembers(manifests, session)
        let both = Places(
            kinds: before.kinds.union(now.kinds), namespaces: before.namespaces.union(now.namespaces))
        if !isDryRun { try write(both, session) }
    }

    private func write(_ places: Places, _ session: Session) throws {
        let kinds = places.kinds.sorted().map { $0.group.isEmpty ? $0.rawValue : "\($0.rawValue).\($0.group)" }
        let others = places.namespaces.subtracting([namespace]).sorted()
        let metadata = Node.map([
            ("name", .text(name)), ("namespace", .text(namespace)), ("labels", .map([(Self.idLabel, .text(id))])),
            (
                "annotations",
                .map([
                    (Self.tooling, .text("agentos-apply/v\(programVersion)")),
                    (Self.kinds, .text(kinds.joined(separator: ","))),
                    (Self.namespaces, .text(others.joined(separator: ","))),
                ])
            ),
        ])
        var request = Client.Request("PATCH", path, query: [("fieldManager", "agentos-applyset"), ("force", "true")])
        request.headers = ["Content-Type: application/apply-patch+yaml"]
        request.body = JSONWriter.bytes(
            .map([("apiVersion", "v1"), ("kind", "Secret"), ("metadata", metadata)]))
        _ = try session.send(request)
    }

    // MARK: Pruning

    /// Deletes the members that are declared no more, in the order in which users of others go first.
    func prune(_ session: Session, isDryRun: Bool) throws -> ExitCode {
        var worst = ExitCode.success
        for kind in before.kinds.sorted().reversed() {
            for place in kind.isNamespaced ? before.namespaces.sorted() : [""] {
                let query = [("labelSelector", "\(Self.memberLabel)=\(id)")]
                let found = try session.list(kind, namespace: place, query: query) { ObjectView($0) }.rows
                for object in found where !members.contains(Self.key(kind, place, object.name)) {
                    let code = try prune(object, kind, place, session, isDryRun)
                    if code != .success { worst = code }
                }
            }
        }
        // Of what could not be deleted the place must stay known.
        if worst == .success, !isDryRun { try write(now, session) }
        return worst
    }

    private func prune(
        _ object: ObjectView, _ kind: Kind, _ place: String, _ session: Session, _ isDryRun: Bool
    ) throws -> ExitCode {
        let shown = "\(kind.qualifiedSingular)/\(object.name)"
        if object.node[path: "metadata", "annotations", Self.protection]?.string == "disabled" {
            try Terminal.print("\(shown) kept (\(Self.protection): disabled)")
            return .success
        }
        // All that others have put into it would go, too.
        if kind == .namespace {
            try Terminal.print("\(shown) kept; 'agentos-apply delete namespace \(object.name)' deletes it")
            return .success
        }
        if !isDryRun {
            let path = Session.path(kind, namespace: place, name: object.name)
            let response = try session.answer(Client.Request("DELETE", path))
            if !response.isSuccess, response.status != 404 {
                let problem = session.problem(response)
                Terminal.printError("\(shown): \(problem.message)")
                return problem.code
            }
        }
        try Terminal.print("\(shown) pruned\(isDryRun ? " (dry run)" : "")")
        return .success
    }
}
