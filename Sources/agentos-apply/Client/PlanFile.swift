import Manifests
import Values

/// A plan that is kept: what was asked for, and how things stood.
///
/// Manifests are kept whole, but for Secrets: of those the file that holds them is named, and a seal that only the daemon
/// can make tells whether it still says the same. A digest tells whether the plan is still the one that was shown.
struct PlanFile {
    /// Raised when a field changes its meaning; a program reads no other than its own.
    static let format = 2
    private static let bytesMax = 64 << 20

    enum Asked {
        case objects([Item])
        case source(namespace: String, name: String, isForced: Bool)
    }

    struct Item {
        var kind: Kind
        var namespace: String
        var name: String
        /// `FILE:LINE`.
        var place: String
        /// Where a Secret is read again; nil for what is kept here.
        var file: String?
        var seal: String?
        /// What is declared; nil of a Secret that was not read again yet.
        var object: Node?

        init(_ manifest: Manifest) {
            kind = manifest.kind
            namespace = manifest.namespace
            name = manifest.name
            place = "\(manifest.file):\(manifest.mark.line)"
            file = manifest.kind == .secret ? Paths.absolute(manifest.file) : nil
            object = ApplyRequest.object(manifest)
        }
    }

    private(set) var asked: Asked
    private(set) var standings: Node?

    init(_ asked: Asked) { self.asked = asked }

    /// What the daemon is asked.
    func body(performs: Bool, from path: String) throws -> Node {
        var entries: [(String, Node?)] = [("perform", performs ? true : nil), ("standings", standings)]
        switch asked {
        case .source(let namespace, let name, let isForced):
            entries.append(("source", .map([("namespace", .text(namespace)), ("name", .text(name))])))
            entries.append(("force", isForced ? true : nil))
        case .objects(let items):
            let objects = try items.map { item in
                Node.map([
                    ("object", try item.read(path)), ("declaredAt", .text(item.place)),
                    ("seal", item.seal.map(Node.text)),
                ])
            }
            entries.append(("objects", .list(objects)))
        }
        return .map(entries)
    }

    /// With what the daemon says of how things stand.
    func sealed(by answer: Node) -> PlanFile {
        var file = self
        file.standings = .list((answer["changes"]?.list ?? []).compactMap { $0["standing"] })
        if case .objects(var items) = asked {
            let seals = answer["seals"]?.stringMap ?? [:]
            for index in items.indices where items[index].file != nil {
                items[index].seal = seals["\(items[index].namespace)/\(items[index].name)"]
            }
            file.asked = .objects(items)
        }
        return file
    }

    // MARK: The file

    func write(to path: String) throws {
        var entries: [(String, Node?)] = [
            ("kind", "PlanFile"), ("apiVersion", "agentos.dev/v1"), ("format", .number(Self.format)),
        ]
        switch asked {
        case .source(let namespace, let name, let isForced):
            entries.append(
                (
                    "source",
                    .map([("namespace", .text(namespace)), ("name", .text(name)), ("force", .init(.bool(isForced)))])
                ))
        case .objects(let items): entries.append(("objects", .list(items.map(\.node))))
        }
        entries.append(("standings", standings ?? .list([])))
        entries.append(("digest", .text(Self.digest(.map(entries)))))
        try LocalFile.write(JSONWriter.text(.map(entries), pretty: true) + "\n", to: path)
    }

    /// Of what a plan says, however it is laid out.
    private static func digest(_ plan: Node) -> String {
        // As it will be read: a number may be written in several ways.
        let read = JSONReader.read(JSONWriter.text(plan)) ?? plan
        return "sha256:\(SHA256Digest.hex(JSONWriter.bytes(read)))"
    }

    static func read(_ path: String) throws -> PlanFile {
        let bytes = try LocalFile.read(path, limit: bytesMax)
        func refuse(_ what: String) -> CommandProblem {
            CommandProblem(.invalid, "\(path): \(what); make a new plan with 'agentos-apply plan --out \(path)'")
        }
        if bytes.count > bytesMax { throw refuse("is larger than \(bytesMax >> 20) MiB") }
        var diagnostics = Diagnostics()
        guard let node = JSONReader.read(bytes, file: path, diagnostics: &diagnostics) else {
            throw CommandProblem(.invalid, diagnostics.kept.first?.description ?? "\(path): is no JSON")
        }
        guard node["kind"]?.string == "PlanFile" else { throw refuse("is no plan") }
        guard let found = node["format"]?.int else { throw refuse("format: expected a number") }
        guard found == format else { throw refuse("is of format \(found), and this version reads format \(format)") }
        var content = node
        content["digest"] = nil
        guard let digest = node["digest"]?.string, digest == Self.digest(content) else {
            throw refuse("was changed after it was made, and a plan is carried out as it was shown or not at all")
        }
        if let stranger = node.stranger(["kind", "apiVersion", "format", "objects", "source", "standings", "digest"]) {
            throw refuse("unknown field \(stranger)")
        }
        guard let standings = node["standings"], standings.list != nil else {
            throw refuse("standings: expected a list")
        }
        var file: PlanFile
        switch (node["objects"]?.list, node["source"]) {
        case (let objects?, nil):
            file = PlanFile(
                .objects(
                    try objects.enumerated().map { index, item in
                        guard let item = Item(item) else { throw refuse("objects[\(index)]: is not as it was written") }
                        return item
                    }))
        case (nil, let source?):
            guard let namespace = source["namespace"]?.string, let name = source["name"]?.string,
                let force = source["force"]?.bool, source.stranger(["namespace", "name", "force"]) == nil
            else { throw refuse("source: expected namespace, name and force") }
            file = PlanFile(.source(namespace: namespace, name: name, isForced: force))
        case (nil, nil), (.some, .some): throw refuse("expected either objects or source")
        }
        file.standings = standings
        return file
    }
}

extension PlanFile.Item {
    fileprivate init?(_ node: Node) {
        guard node.stranger(["kind", "namespace", "name", "declaredAt", "file", "seal", "object"]) == nil,
            let kind = node["kind"]?.string.flatMap(Kind.init(rawValue:)), let namespace = node["namespace"]?.string,
            let name = node["name"]?.string, let place = node["declaredAt"]?.string,
            (node["file"]?.string != nil && node["seal"]?.string != nil) != (node["object"]?.map != nil)
        else { return nil }
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.place = place
        file = node["file"]?.string
        seal = node["seal"]?.string
        object = node["object"]
    }

    fileprivate var node: Node {
        .map([
            ("kind", .text(kind.rawValue)), ("namespace", .text(namespace)), ("name", .text(name)),
            ("declaredAt", .text(place)), ("file", file.map(Node.text)), ("seal", seal.map(Node.text)),
            ("object", file == nil ? object : nil),
        ])
    }

    /// What is declared; a Secret is read from its file.
    fileprivate func read(_ plan: String) throws -> Node {
        if let object { return object }
        guard let file else { return .emptyMap }
        let found = try ManifestFiles.read(file, namespace: namespace).first {
            $0.kind == kind && $0.namespace == namespace && $0.name == name
        }
        guard let found else {
            throw CommandProblem(
                .conflict, "\(plan): \(file) does not declare Secret \"\(name)\" any more; make a new plan")
        }
        return ApplyRequest.object(found)
    }
}

extension Node {
    /// A field of a map that is not one of these.
    fileprivate func stranger(_ known: [String]) -> String? {
        map?.entries.first { !known.contains($0.key) }?.key
    }
}
