/// RFC 3339 timestamps in UTC, from milliseconds since 1970. Times outside of the years 0 to 9999 are shown as the
/// nearest inside.
public enum Timestamp {
    private static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    public static func seconds(_ ms: Int64) -> String { text(ms, fraction: false) }
    public static func milliseconds(_ ms: Int64) -> String { text(ms, fraction: true) }

    private static func text(_ time: Int64, fraction: Bool) -> String {
        let ms = min(max(time, range.lowerBound), range.upperBound)
        let seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let inDay = seconds - days * 86_400
        // Days to civil date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let m = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * m + 2) / 5 + 1
        let month = m < 10 ? m + 3 : m - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // Every event, entry and line of a log carries one: it is written without texts in between.
        return String(unsafeUninitializedCapacity: 24) { out in
            var at = 0
            func put(_ number: Int64, _ width: Int, _ end: Unicode.Scalar) {
                var rest = number
                for place in stride(from: at + width - 1, through: at, by: -1) {
                    out[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                out[at + width] = UInt8(ascii: end)
                at += width + 1
            }
            put(year, 4, "-")
            put(month, 2, "-")
            put(day, 2, "T")
            put(inDay / 3600, 2, ":")
            put(inDay / 60 % 60, 2, ":")
            put(inDay % 60, 2, fraction ? "." : "Z")
            if fraction { put(ms - seconds * 1000, 3, "Z") }
            return at
        }
    }

    /// Reads what `seconds` and `milliseconds` write; nil for anything else.
    public static func parse(_ text: String) -> Int64? {
        let b = Array(text.utf8)
        func number(_ place: Range<Int>, _ range: ClosedRange<Int64>) -> Int64? {
            WholeNumber.read(String(decoding: b[place], as: UTF8.self), in: range)
        }
        guard b.count == 20 || b.count == 24, b[b.count - 1] == UInt8(ascii: "Z"),
            [4, 7, 10, 13, 16].map({ b[$0] }) == Array("--T::".utf8),
            b.count == 20 || b[19] == UInt8(ascii: "."),
            let year = number(0..<4, 0...9999), let month = number(5..<7, 1...12),
            let day = number(8..<10, 1...31),
            let hour = number(11..<13, 0...23), let minute = number(14..<16, 0...59),
            let second = number(17..<19, 0...60),
            let milliseconds = b.count == 20 ? 0 : number(20..<23, 0...999)
        else { return nil }
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return ((days * 86_400) + hour * 3600 + minute * 60 + second) * 1000 + milliseconds
    }
}
