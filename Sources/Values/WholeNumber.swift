/// Whole numbers that strangers wrote: read strictly, and never outside of their range.
///
/// Every border uses these: command line, query, header, file, database.
public enum WholeNumber {
    /// The number that a text of decimal digits says; nil for anything else: a sign (but `-` where the range has
    /// negative numbers), a blank, a fraction, a number outside of the range.
    public static func read(_ text: some StringProtocol, in range: ClosedRange<Int64>) -> Int64? {
        let digits =
            text.utf8.first == UInt8(ascii: "-") && range.lowerBound < 0
            ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(text)
        else {
            return nil
        }
        return range.contains(number) ? number : nil
    }

    public static func read(_ text: some StringProtocol, in range: ClosedRange<Int>) -> Int? {
        read(text, in: Int64(range.lowerBound)...Int64(range.upperBound)).map { Int($0) }
    }

    /// The nearest whole number in the range, towards zero; what is no number is the lower bound.
    public static func nearest(_ number: Double, in range: ClosedRange<Int64>) -> Int64 {
        guard !number.isNaN else { return range.lowerBound }
        // The bounds of Int64 are no doubles: what rounds to them or beyond is cut first.
        if number <= -0x1p63 { return range.lowerBound }
        if number >= 0x1p63 { return range.upperBound }
        return min(max(Int64(number), range.lowerBound), range.upperBound)
    }
}

extension FixedWidthInteger where Self: SignedInteger {
    /// The sum, or the bound that it would pass.
    public func addingSaturated(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The difference, or the bound that it would pass.
    public func subtractingSaturated(_ other: Self) -> Self {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }

    /// The product, or the bound that it would pass.
    public func multipliedSaturated(by other: Self) -> Self {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}

/// The value of one hexadecimal digit.
package func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}
