public import Values

extension Limits {
    /// Files that one command reads.
    public static let filesMax = 20_000
    /// Thousandths of a core that one agent may ask for: a million cores.
    public static let cpuMilliMax: Int64 = 1_000_000_000
    /// Bytes that one agent may ask for.
    public static let memoryBytesMax: Int64 = 1 << 60
    /// Ordinals of one agent.
    public static let replicasMax = 1000
    /// Variables that one agent declares.
    public static let envMax = 1000
    /// Agents that one agent depends on.
    public static let dependenciesMax = 64
    /// Volumes, and mounts, of one agent.
    public static let volumesMax = 64
}
