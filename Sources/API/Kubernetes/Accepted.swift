import HTTP

/// What a client takes as an answer, in the order in which it prefers it (RFC 9110, sections 12.5.1 and 12.5.3).
struct Accepted {
    /// One media type with its parameters.
    struct Range: Equatable {
        var type: String
        var parameters: [String: String]

        /// Whether the range takes a media type: `*/*` and `application/*` take many.
        func takes(_ type: String) -> Bool {
            self.type == "*/*" || self.type == type
                || (self.type.hasSuffix("/*") && type.hasPrefix(self.type.dropLast()))
        }
    }

    let ranges: [Range]

    /// Reads all lines of a head with one name: they are one list.
    init(_ lines: [String]) {
        var found: [(range: Range, quality: Double)] = []
        for part in lines.flatMap({ $0.utf8.split(separator: UInt8(ascii: ",")) }).prefix(Self.rangesMax) {
            let words = part.split(separator: UInt8(ascii: ";")).map { Substring($0).trimmed }
            guard let type = words.first, !type.isEmpty else { continue }
            var (parameters, quality): ([String: String], Double) = ([:], 1)
            for word in words.dropFirst() {
                guard let equal = word.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let (name, value) = (word[..<equal].trimmed.lowercased(), word[equal...].dropFirst().trimmed)
                if name == "q" { quality = Double(value) ?? 0 } else { parameters[name] = value }
            }
            if quality > 0 { found.append((Range(type: type.lowercased(), parameters: parameters), quality)) }
        }
        // Equal ones stay in the order of the header.
        ranges = found.enumerated().sorted {
            ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset)
        }.map(\.element.range)
    }

    private static let rangesMax = 32

    /// Whether something is named itself, and not taken among others.
    func names(_ type: String) -> Bool { ranges.contains { $0.type == type } }
}

extension Call {
    var accepted: Accepted { Accepted(exchange.headers("Accept")) }
}
