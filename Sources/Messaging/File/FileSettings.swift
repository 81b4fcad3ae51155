public import Manifests
public import Values

/// A sink that writes events into a file, one on a line.
public struct FileSettings: SinkSettings {
    /// The file that is written to; older ones lie beside it, as `PATH.00000001`, the higher the newer.
    public var path: String
    /// A new file begins before one grows beyond this.
    public var fileBytes: Int64
    /// A new file begins when one is older than this, with the next event.
    public var fileAgeMs: Int64
    /// Files that are kept, the one that is written to among them.
    public var files: Int
    /// Who may read the files, as `0640`.
    public var mode: String
    public var source: String

    public static let fields = [
        Field(
            "path", .string(.absolutePath), required: true,
            text: "the file that is written to; older ones lie beside it, with a number behind the name"),
        Field(
            "fileBytes", .quantity(.memory), fallback: "64Mi", text: "a new file begins before one grows beyond this"),
        Field(
            "fileAge", .string(.duration), fallback: "24h",
            text: "a new file begins when one is older than this"),
        Field(
            "files", .integer(1...10_000), fallback: 10,
            text: "files that are kept, the one that is written to among them"),
        Field("mode", .enumeration(["0600", "0640", "0644"]), fallback: "0600", text: "who may read the files"),
        SettingRule.source,
    ]

    public init(_ node: Node) {
        let fields = CheckedFields(node: node)
        path = fields.text("path")
        fileBytes = fields.bytes("fileBytes")
        fileAgeMs = fields.milliseconds("fileAge")
        files = fields.count("files")
        mode = fields.text("mode")
        source = fields.text("source")
    }

    public var mistakes: [(field: String, message: String)] {
        [
            path.hasSuffix("/") ? ("path", "must be the path of a file") : nil,
            SettingRule.bytes("fileBytes", fileBytes, 64 << 10...1 << 40, "64Ki and 1Ti"),
            SettingRule.time("fileAge", fileAgeMs, 60_000...31_622_400_000, "1m and 8784h"),
            SettingRule.source(source),
        ].compactMap(\.self)
    }

    var modeBits: UInt32 { UInt32(mode, radix: 8) ?? 0o600 }
}
