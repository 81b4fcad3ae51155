/// Times as people write them: `500ms`, `30s`, `5m`, `1h`.
public enum Durations {
    private static let units: [String: Int64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]

    /// Milliseconds; nil when the text is no such time or its number passes `Limits.durationUnitsMax`.
    public static func milliseconds(_ text: String?) -> Int64? {
        guard let text else { return nil }
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard let number = WholeNumber.read(Substring(digits), in: 0...Limits.durationUnitsMax),
            let unit = units[String(text.dropFirst(digits.count))]
        else { return nil }
        return number * unit
    }
}
