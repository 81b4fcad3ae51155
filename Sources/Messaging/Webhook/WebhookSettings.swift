public import Manifests
public import Values

/// A sink that posts events to a web server.
public struct WebhookSettings: SinkSettings {
    /// How many events a request has.
    public enum Format: String, CaseIterable, Sendable {
        /// One event in each request, as `application/cloudevents+json`.
        case structured
        /// Several, as `application/cloudevents-batch+json`.
        case batched
    }

    public var url: String
    public var format: Format
    /// A file of mode 0600 with one or two secrets, `whsec_…`, each on its line; every request is signed with each of them.
    public var secretFile: String
    /// A file of authorities in place of the machine's own; nil: the machine's.
    public var authorityFile: String?
    /// For one request, from the name of the server to the last byte of the answer.
    public var timeoutMs: Int64
    /// http to another machine than this one is allowed.
    public var allowInsecure: Bool
    /// Of one request.
    public var batchEvents: Int
    /// Of one request; one event may be more.
    public var batchBytes: Int64
    public var source: String

    public static let fields = [
        Field("url", .string(.nonEmpty), required: true, text: "where to post: https://…"),
        Field(
            "format", .enumeration(Format.allCases.map(\.rawValue)), fallback: "batched",
            text: "structured: one event in each request; batched: several, as a list"),
        Field(
            "secretFile", .string(.absolutePath), required: true,
            text:
                "a file of mode 0600 with one or two secrets, whsec_…, each on its line; the requests are signed with each"
        ),
        Field(
            "caFile", .string(.absolutePath),
            text: "certificates of those who may have signed the server's (default: the machine's own)"),
        Field("timeout", .string(.duration), fallback: "10s", text: "for one request, answer included"),
        Field("allowInsecure", .boolean, fallback: false, text: "allows http to other machines"),
        Field("batchEvents", .integer(1...1000), fallback: 100, text: "events of one request at most"),
        Field(
            "batchBytes", .quantity(.memory), fallback: "1Mi", text: "bytes of one request, unless one event is more"),
        SettingRule.source,
    ]

    public init(_ node: Node) {
        let fields = CheckedFields(node: node)
        url = fields.text("url")
        format = Format(rawValue: fields.text("format")) ?? .batched
        secretFile = fields.text("secretFile")
        authorityFile = fields.textIfSet("caFile")
        timeoutMs = fields.milliseconds("timeout")
        allowInsecure = fields.flag("allowInsecure")
        batchEvents = fields.count("batchEvents")
        batchBytes = fields.bytes("batchBytes")
        source = fields.text("source")
    }

    public var mistakes: [(field: String, message: String)] {
        [
            addressMistake.map { ("url", $0) },
            SettingRule.time("timeout", timeoutMs, 100...60_000, "100ms and 60s"),
            SettingRule.bytes("batchBytes", batchBytes, 1 << 10...64 << 20, "1Ki and 64Mi"), SettingRule.source(source),
        ].compactMap(\.self)
    }

    private var addressMistake: String? {
        guard let address = PeerAddress(url), address.scheme == "https" || address.scheme == "http" else {
            return "must be https://HOST[:PORT]/PATH"
        }
        if address.hasUser {
            return "must not name a user or password; requests are signed with the secrets of secretFile"
        }
        if address.scheme == "http", !address.isLoopback, !allowInsecure {
            return "must begin with https://, because others could read what is sent (allowInsecure: true allows it)"
        }
        return nil
    }
}
