public import Values

extension Limits {
    /// What is kept of what a program of the machine prints.
    public static let programOutputBytesMax = 4 << 20
}
