/// Kubernetes quantities (`250m`, `1Gi`, `1e3`, `0.5`), exact in thousandths.
public enum Quantity {
    /// The value in thousandths of a unit, rounded up as Kubernetes does; nil when the text is no quantity,
    /// is negative or does not fit into 63 bits.
    public static func milli(_ node: Node) -> Int64? {
        switch node.value {
        case .int(let number): return number >= 0 ? multiply(number, 1000) : nil
        case .double(let number): return milli(String(number))
        case .string(let text): return milli(text)
        default: return nil
        }
    }

    /// The value in whole units, rounded up.
    public static func units(_ node: Node) -> Int64? {
        milli(node).map { $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1) }
    }

    private static func multiply(_ a: Int64, _ b: Int64) -> Int64? {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : product
    }

    static func milli(_ text: String) -> Int64? {
        var digits: Int64 = 0
        var fraction = 0
        var sawPoint = false
        var sawDigit = false
        var rest = text[...]
        if rest.first == "+" { rest = rest.dropFirst() }
        while let character = rest.first {
            if character == ".", !sawPoint {
                sawPoint = true
            } else if let digit = character.wholeNumberValue, character.isASCII {
                guard let shifted = multiply(digits, 10) else { return nil }
                digits = shifted + Int64(digit)
                if digits < 0 { return nil }
                if sawPoint { fraction += 1 }
                sawDigit = true
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard sawDigit, fraction <= 15, let scale = scale(of: rest) else { return nil }
        var numerator = digits
        var tens = scale.tens + 3 - fraction
        guard let scaled = multiply(numerator, scale.factor) else { return nil }
        numerator = scaled
        while tens > 0 {
            guard let next = multiply(numerator, 10) else { return nil }
            numerator = next
            tens -= 1
        }
        while tens < 0 {
            numerator = numerator / 10 + (numerator % 10 == 0 ? 0 : 1)
            tens += 1
        }
        return numerator
    }

    private static func scale(of suffix: Substring) -> (factor: Int64, tens: Int)? {
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
        case "Ki": return (1 << 10, 0)
        case "Mi": return (1 << 20, 0)
        case "Gi": return (1 << 30, 0)
        case "Ti": return (1 << 40, 0)
        case "Pi": return (1 << 50, 0)
        default:
            guard let first = suffix.first, first == "e" || first == "E", let exponent = Int(suffix.dropFirst()),
                (-9...18).contains(exponent)
            else { return nil }
            return (1, exponent)
        }
    }
}
