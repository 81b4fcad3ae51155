public import Manifests
public import Values

/// One resource of the API. Routes, discovery, OpenAPI, Tables, access and metrics say of it what stands here.
public final class Resource: Sendable {
    /// What can be done to a resource, in Kubernetes' words.
    public enum Verb: String, Sendable, CaseIterable {
        case get, list, watch, create, update, patch, delete, deletecollection
    }

    /// Where what the resource shows comes from.
    public enum Home: Sendable {
        /// Stored objects of a kind.
        case objects(Kind)
        /// What is made of stored objects of a kind when somebody reads it.
        case view(View)
        /// What the daemon measures when it is asked.
        case measurements
        /// The revisions of agents, read from the store when somebody asks.
        case revisions
        /// Questions that are answered and not kept.
        case reviews
        /// The daemon's own records, which have no names and metadata as objects have; clients that go through all
        /// resources do not meet them.
        case records
    }

    /// What lies below one object of the resource.
    public struct Subresource: Sendable {
        public let name: String
        public let verbs: [Verb]
        public let group: String
        public let version: String
        public let kind: String
        public let text: String

        public init(
            _ name: String, _ verbs: [Verb], group: String, version: String = "v1", kind: String, text: String
        ) {
            self.name = name
            self.verbs = verbs
            self.group = group
            self.version = version
            self.kind = kind
            self.text = text
        }
    }

    public let group: String
    public let version: String
    /// The plural in URLs.
    public let name: String
    /// `agents.agentos.dev`, as error messages name it.
    public let qualifiedName: String
    public let singular: String
    public let kind: String
    public let shortNames: [String]
    public let categories: [String]
    public let isNamespaced: Bool
    public let verbs: [Verb]
    public let home: Home
    /// The root of the description of its documents.
    public let fields: [Field]
    /// What Tables show, in order.
    public let columns: [Column]
    /// Paths beside `metadata.name` and `metadata.namespace` that a field selector may name.
    public let selectableFields: [String]
    public let subresources: [Subresource]
    /// What it is, in one sentence.
    public let text: String

    /// What is not described by a kind of objects.
    init(
        group: String, version: String = "v1", _ name: String, singular: String, kind: String,
        shortNames: [String] = [], categories: [String] = [], isNamespaced: Bool = true, verbs: [Verb], home: Home,
        fields: [Field] = [], columns: [Column] = [], selectableFields: [String] = [], subresources: [Subresource] = [],
        text: String
    ) {
        self.group = group
        self.version = version
        self.name = name
        qualifiedName = group.isEmpty ? name : "\(name).\(group)"
        self.singular = singular
        self.kind = kind
        self.shortNames = shortNames
        self.categories = categories
        self.isNamespaced = isNamespaced
        self.verbs = verbs
        self.home = home
        self.fields = fields
        self.columns = columns
        self.selectableFields = selectableFields
        self.subresources = subresources
        self.text = text
    }

    /// The objects of a kind, as its definition describes them.
    convenience init(_ kind: Kind) {
        let definition = kind.definition
        self.init(
            group: kind.group, version: kind.version, kind.resource, singular: kind.singular, kind: kind.rawValue,
            shortNames: kind.shortNames, categories: definition.categories, isNamespaced: kind.isNamespaced,
            verbs: Self.objectVerbs.filter { kind.isNamespaced || $0 != .deletecollection }, home: .objects(kind),
            fields: kind.shownFields, columns: definition.columns,
            selectableFields: definition.selectableFields,
            subresources: Manifests.Subresource.allCases.filter(definition.subresources.contains).map {
                Subresource($0, of: kind)
            }, text: definition.text)
    }

    /// What can be done to every stored object.
    private static let objectVerbs = Verb.allCases

    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    /// Where the group lies: `/api/v1`, `/apis/agentos.dev/v1`.
    public var root: String { group.isEmpty ? "/api/\(version)" : "/apis/\(apiVersion)" }
    /// The kind whose stored objects it shows.
    public var storedKind: Kind? {
        switch home {
        case .objects(let kind): kind
        case .view(let view): view.kind
        case .revisions: .agent
        case .measurements, .reviews, .records: nil
        }
    }
    /// Whether its documents are made and changed by clients.
    public var isWritten: Bool {
        switch home {
        case .objects: true
        case .view(let view): view.stored != nil
        case .measurements, .revisions, .reviews, .records: false
        }
    }
    /// What is stored when a document is written, or a part of one.
    public func stored(_ document: Node) -> Node {
        if case .view(let view) = home, let stored = view.stored { stored(document) } else { document }
    }
    /// A stored object as this resource shows it, where that is one document.
    public func shown(_ object: Node) -> Node {
        if case .view(let view) = home { view.documents(object).first ?? object } else { object }
    }
    /// Whether clients find it in discovery.
    public var isListed: Bool {
        switch home {
        case .objects, .view, .measurements, .revisions, .reviews: true
        case .records: false
        }
    }
}

extension Resource.Subresource {
    fileprivate init(_ subresource: Subresource, of kind: Kind) {
        let group = kind.group
        switch subresource {
        case .events: self.init("events", [.get], group: group, kind: "EventList", text: "Its latest events.")
        case .status:
            self.init(
                "status", [.get, .update, .patch], group: group, kind: kind.rawValue,
                text: "What is observed of it, with what others keep there.")
        case .scale:
            self.init(
                "scale", [.get, .update, .patch], group: "autoscaling", kind: "Scale", text: "How many replicas it has."
            )
        case .revisions:
            self.init("revisions", [.get], group: group, kind: "RevisionList", text: "What it was made of before.")
        case .log: self.init("log", [.get], group: group, kind: kind.rawValue, text: "What it has written.")
        case .exec:
            self.init("exec", [.create], group: group, kind: kind.rawValue, text: "A command beside a running replica.")
        case .attach:
            self.init("attach", [.create], group: group, kind: kind.rawValue, text: "What it writes from now on.")
        case .portforward:
            self.init(
                "portforward", [.create], group: group, kind: kind.rawValue, text: "Connections to ports of a replica.")
        case .sync: self.init("sync", [.create], group: group, kind: kind.rawValue, text: "Reads and applies it now.")
        case .token:
            self.init(
                "token", [.create], group: "authentication.k8s.io", kind: "TokenRequest",
                text: "Makes a token of the account.")
        case .preview:
            self.init("preview", [.get], group: group, kind: "PreviewList", text: "What the next sync would do.")
        }
    }
}
