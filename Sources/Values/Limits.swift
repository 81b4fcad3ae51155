/// Every named maximum of the program: no queue, buffer, retry, file or table grows beyond one of these.
///
/// Units stand last in each name. A value of a unit-less name is a count.
public enum Limits {
    /// Bytes of one manifest file, of standard input and of one request body.
    public static let inputBytesMax = 16 << 20
    /// Nesting of maps and lists in one document.
    public static let depthMax = 64
    /// Nodes of one file after alias expansion.
    public static let nodesMax = 500_000
    /// Nodes that aliases may add to one file.
    public static let aliasNodesMax = 10_000
    /// Seconds, minutes or hours that one time may have.
    public static let durationUnitsMax: Int64 = 999_999
    /// Bytes of a key that stands without `?` before it, escapes included; readers of YAML stop at 1024 characters.
    static let yamlKeyBytesMax = 1000
    /// Diagnostics that are kept in full; the rest is counted.
    public static let diagnosticsMax = 100
    /// Bytes of one stored object, as JSON.
    public static let objectBytesMax = 1 << 20
    /// Nesting of one stored object: what it is wrapped in where it is read has room within `depthMax`.
    public static let objectDepthMax = 56
    /// Values of one stored object: several are read at once within `nodesMax`.
    public static let objectNodesMax = 100_000
}
