/// Times as people write them: `500ms`, `30s`, `5m`, `1h`.
public enum Durations {
    public static func milliseconds(_ text: String?) -> Int64? {
        guard let text else { return nil }
        let digits = text.prefix { $0.isNumber }
        let units: [String: Int64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
        guard let number = Int64(digits), number < 1_000_000, let unit = units[String(text.dropFirst(digits.count))]
        else { return nil }
        return number * unit
    }
}
