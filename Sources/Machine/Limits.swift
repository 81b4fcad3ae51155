public import Values

extension Limits {
    /// What is kept of what a program of the machine prints.
    public static let programOutputBytesMax = 4 << 20
    /// How often a tree that cannot be removed is tried, and how long after each time.
    package static let removalTries = 30
    static let removalPauseMs: Int64 = 1000
}
