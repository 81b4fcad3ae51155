/// Kubernetes quantities (`250m`, `1Gi`, `1e3`, `0.5`), exact in thousandths.
public enum Quantity {
    /// The value in thousandths of a unit, rounded up as Kubernetes does; nil when the text is no quantity,
    /// is negative or does not fit into 63 bits.
    public static func milli(_ node: Node) -> Int64? {
        thousandths(node).flatMap { Int64(exactly: $0) }
    }

    /// The value in whole units, rounded up; nil as for `milli`.
    public static func units(_ node: Node) -> Int64? {
        thousandths(node).flatMap { Int64(exactly: $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1)) }
    }

    private static func thousandths(_ node: Node) -> Int128? {
        switch node.value {
        case .int(let number): number >= 0 ? Int128(number) * 1000 : nil
        case .double(let number): thousandths(String(number)[...])
        case .string(let text): thousandths(text[...])
        case .null, .bool, .list, .map: nil
        }
    }

    /// Digits that a quantity may have: with the largest scale and a thousandth they fit into 127 bits.
    private static let numeratorMax: Int128 = 1_000_000_000_000_000_000

    private static func thousandths(_ text: Substring) -> Int128? {
        var rest = text.utf8
        if rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        var digits: Int128 = 0
        var fraction = 0
        var sawPoint = false
        var sawDigit = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !sawPoint {
                sawPoint = true
            } else if (0x30...0x39).contains(byte) {
                digits = digits * 10 + Int128(byte - 0x30)
                guard digits < numeratorMax else { return nil }
                if sawPoint { fraction += 1 }
                sawDigit = true
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard sawDigit, fraction <= 15, let scale = scale(of: Substring(rest)) else { return nil }
        return scaled(digits * scale.factor, byTens: scale.tens + 3 - fraction)
    }

    private static func scale(of suffix: Substring) -> (factor: Int128, tens: Int)? {
        switch suffix {
        case "": return (1, 0)
        case "n": return (1, -9)
        case "u": return (1, -6)
        case "m": return (1, -3)
        case "k": return (1, 3)
        case "M": return (1, 6)
        case "G": return (1, 9)
        case "T": return (1, 12)
        case "P": return (1, 15)
        case "E": return (1, 18)
        case "Ki": return (1 << 10, 0)
        case "Mi": return (1 << 20, 0)
        case "Gi": return (1 << 30, 0)
        case "Ti": return (1 << 40, 0)
        case "Pi": return (1 << 50, 0)
        case "Ei": return (1 << 60, 0)
        default:
            guard let first = suffix.utf8.first, first | 0x20 == UInt8(ascii: "e"),
                let exponent = Int(suffix.dropFirst()), (-9...18).contains(exponent)
            else { return nil }
            return (1, exponent)
        }
    }

    /// The number times ten to the power of `tens`; what a division loses is rounded up. Nil when it does not fit.
    private static func scaled(_ number: Int128, byTens tens: Int) -> Int128? {
        var result = number
        for _ in 0..<max(0, tens) {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            result = product
        }
        for _ in 0..<max(0, -tens) { result = result / 10 + (result % 10 == 0 ? 0 : 1) }
        return result
    }
}
