public import Values

extension Limits {
    public static let connectionsMax = 512
}
