public import Manifests
public import Values

/// A sink that publishes events to a stream of NATS JetStream.
public struct NATSSettings: SinkSettings {
    /// What is done about the stream when a connection is made.
    public enum StreamPolicy: String, CaseIterable, Sendable {
        /// It is made when it is not there; one that is there is compared, and what differs is told.
        case create = "Create"
        /// It is compared.
        case check = "Check"
        /// Nothing: the credentials allow publishing only.
        case none = "None"
    }

    /// What a full stream does: without its oldest events, or without new ones.
    public enum Discard: String, CaseIterable, Sendable {
        case old = "Old"
        case new = "New"
    }

    /// `nats://HOST[:PORT]` or `tls://HOST[:PORT]`, of one cluster.
    public var servers: [String]
    public var stream: String
    public var streamPolicy: StreamPolicy
    /// The first word of all subjects.
    public var subject: String
    public var streamBytes: Int64
    public var streamAgeMs: Int64
    /// For as long the stream knows which events it has.
    public var duplicatesMs: Int64
    public var replicas: Int
    public var discard: Discard
    /// Events that are published and not acknowledged yet.
    public var window: Int
    /// For the acknowledgement of one event.
    public var timeoutMs: Int64
    /// For making a connection to one server.
    public var connectTimeoutMs: Int64
    /// A file of credentials, as `nsc` makes it.
    public var credentialsFile: String?
    /// A public key, `U…`, and the file that holds its seed.
    public var nkey: String?
    public var nkeySeedFile: String?
    /// A file with one line, `USER:PASSWORD`.
    public var userFile: String?
    public var authorityFile: String?
    public var certificateFile: String?
    public var keyFile: String?
    /// Connections without TLS to other machines are allowed.
    public var allowInsecure: Bool
    public var source: String
    /// Requests to the daemon are taken on `SUBJECT.NAMESPACE.requests`.
    public var takesRequests: Bool
    /// Of these namespaces alone; empty: of all.
    public var requestNamespaces: [String]
    /// In which a request is answered.
    public var requestTimeoutMs: Int64
    /// Durable consumers of the stream: an event is acknowledged when these have acknowledged it.
    public var consumers: [String]

    public static let fields = [
        Field(
            "servers", .list(.string(.nonEmpty), max: 16, nonEmpty: true), required: true,
            text: "servers of one cluster: tls://HOST:4222"),
        Field("stream", .string(.nonEmpty), fallback: "AGENTOS", text: "the stream that keeps the events"),
        Field(
            "streamPolicy", .enumeration(StreamPolicy.allCases.map(\.rawValue)), fallback: "Create",
            text: "Create: the stream is made when it is not there; Check: it is compared; None: neither"),
        Field(
            "subject", .string(.nonEmpty), fallback: "agentos",
            text: "the first word of subjects: agentos.NAMESPACE.KIND.EVENT"),
        Field("streamBytes", .quantity(.memory), fallback: "1Gi", text: "size of a stream that is made"),
        Field("streamAge", .string(.duration), fallback: "168h", text: "how long a stream that is made keeps events"),
        Field(
            "duplicates", .string(.duration), fallback: "10m",
            text: "for how long a stream that is made drops events that come again"),
        Field("replicas", .integer(1...5), fallback: 1, text: "servers that keep each event of a stream that is made"),
        Field(
            "discard", .enumeration(Discard.allCases.map(\.rawValue)), fallback: "Old",
            text: "what a stream that is made and full goes without: its oldest events, or new ones, which wait"),
        Field(
            "window", .integer(1...4096), fallback: 512, text: "events that are published and not acknowledged yet"),
        Field("timeout", .string(.duration), fallback: "5s", text: "for the acknowledgement of one event"),
        Field("connectTimeout", .string(.duration), fallback: "2s", text: "for making a connection to one server"),
        Field("credentialsFile", .string(.absolutePath), text: "a file of credentials, of mode 0600, as nsc makes it"),
        Field("nkey", .string(.nonEmpty), text: "the public key of a user, U…"),
        Field("nkeySeedFile", .string(.absolutePath), text: "the file of its seed, of mode 0600"),
        Field("userFile", .string(.absolutePath), text: "a file of mode 0600 with one line, USER:PASSWORD"),
        Field(
            "caFile", .string(.absolutePath),
            text: "certificates of those who may have signed the servers' (default: the machine's own)"),
        Field("certFile", .string(.absolutePath), text: "a certificate to show to the servers"),
        Field("keyFile", .string(.absolutePath), text: "its private key, of mode 0600"),
        Field("allowInsecure", .boolean, fallback: false, text: "allows connections without TLS to other machines"),
        Field(
            "requests", .boolean, fallback: false,
            text: "requests to this daemon are taken on agentos.NAMESPACE.requests, and answered"),
        Field(
            "requestNamespaces", .list(.string(.label(63)), max: 100, nonEmpty: true),
            text: "on the subjects of these namespaces alone; of all, and on agentos._.requests, without it"),
        Field("requestTimeout", .string(.duration), fallback: "10s", text: "in which each request is answered"),
        Field(
            "consumers", .list(.string(.nonEmpty), max: 16, nonEmpty: true),
            text: "durable consumers of the stream: an event is Acknowledged when they have acknowledged it"),
        SettingRule.source,
    ]

    public init(_ node: Node) {
        let fields = CheckedFields(node: node)
        servers = fields.texts("servers")
        stream = fields.text("stream")
        streamPolicy = StreamPolicy(rawValue: fields.text("streamPolicy")) ?? .create
        subject = fields.text("subject")
        streamBytes = fields.bytes("streamBytes")
        streamAgeMs = fields.milliseconds("streamAge")
        duplicatesMs = fields.milliseconds("duplicates")
        replicas = fields.count("replicas")
        discard = Discard(rawValue: fields.text("discard")) ?? .old
        window = fields.count("window")
        timeoutMs = fields.milliseconds("timeout")
        connectTimeoutMs = fields.milliseconds("connectTimeout")
        credentialsFile = fields.textIfSet("credentialsFile")
        nkey = fields.textIfSet("nkey")
        nkeySeedFile = fields.textIfSet("nkeySeedFile")
        userFile = fields.textIfSet("userFile")
        authorityFile = fields.textIfSet("caFile")
        certificateFile = fields.textIfSet("certFile")
        keyFile = fields.textIfSet("keyFile")
        allowInsecure = fields.flag("allowInsecure")
        takesRequests = fields.flag("requests")
        requestNamespaces = fields.texts("requestNamespaces")
        requestTimeoutMs = fields.milliseconds("requestTimeout")
        consumers = fields.texts("consumers")
        source = fields.text("source")
    }

    public var mistakes: [(field: String, message: String)] {
        let ways = [credentialsFile, nkeySeedFile, userFile].compactMap(\.self)
        return servers.indices.compactMap { index in
            addressMistake(servers[index]).map { ("servers[\(index)]", $0) }
        }
            + [
                NATSSubject.isName(stream)
                    ? nil : ("stream", "must be at most 64 letters, digits, '-' and '_'"),
                NATSSubject.isName(subject)
                    ? nil : ("subject", "must be one word of at most 64 letters, digits, '-' and '_'"),
                SettingRule.bytes("streamBytes", streamBytes, 1 << 10...1 << 50, "1Ki and 1Pi"),
                SettingRule.time("streamAge", streamAgeMs, 60_000...316_224_000_000, "1m and 87840h"),
                SettingRule.time("duplicates", duplicatesMs, 1000...86_400_000, "1s and 24h"),
                duplicatesMs > streamAgeMs ? ("duplicates", "must not be longer than streamAge") : nil,
                SettingRule.time("timeout", timeoutMs, 100...60_000, "100ms and 60s"),
                SettingRule.time("connectTimeout", connectTimeoutMs, 100...5000, "100ms and 5s"),
                SettingRule.time("requestTimeout", requestTimeoutMs, 100...60_000, "100ms and 60s"),
                !takesRequests && !requestNamespaces.isEmpty ? ("requestNamespaces", "needs requests: true") : nil,
                consumers.allSatisfy(NATSSubject.isName)
                    ? nil : ("consumers", "must be at most 64 letters, digits, '-' and '_'"),
                ways.count > 1 ? ("", "expected one of credentialsFile, nkeySeedFile and userFile") : nil,
                (nkey == nil) != (nkeySeedFile == nil) ? ("", "nkey and nkeySeedFile belong together") : nil,
                (certificateFile == nil) != (keyFile == nil) ? ("", "certFile and keyFile belong together") : nil,
                SettingRule.source(source),
            ].compactMap(\.self)
    }

    /// TLS is spoken with every server.
    var isSecure: Bool { authorityFile != nil || servers.contains { PeerAddress($0)?.scheme == "tls" } }

    private func addressMistake(_ text: String) -> String? {
        guard let address = PeerAddress(text), ["nats", "tls"].contains(address.scheme),
            address.rest.isEmpty || address.rest == "/"
        else { return "must be tls://HOST[:PORT] or nats://HOST[:PORT]" }
        if address.hasUser { return "must not name a user or password; use userFile, nkeySeedFile or credentialsFile" }
        if address.scheme == "nats", authorityFile == nil, !address.isLoopback, !allowInsecure {
            return "must begin with tls://, because others could read what is sent (allowInsecure: true allows it)"
        }
        return nil
    }
}
