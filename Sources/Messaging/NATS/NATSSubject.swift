import Reconciler

/// The subject of an event: `agentos.NAMESPACE.KIND.EVENT`; objects of no namespace have `_` in its place.
enum NATSSubject {
    static func text(_ event: EventRecord, prefix: String) -> String {
        "\(prefix).\(event.namespace.isEmpty ? "_" : word(event.namespace)).\(type(event.type))"
    }

    /// The subjects of some events; what was made for one of them holds for others.
    struct Texts {
        let prefix: String
        private var made: [String: [String: String]] = [:]

        init(prefix: String) { self.prefix = prefix }

        mutating func text(_ event: EventRecord) -> String {
            if let text = made[event.namespace]?[event.type] { return text }
            let text = NATSSubject.text(event, prefix: prefix)
            made[event.namespace, default: [:]][event.type] = text
            return text
        }
    }

    /// The words of a type, each made safe.
    private static func type(_ type: String) -> String {
        type.split(separator: ".", omittingEmptySubsequences: false).map { word(String($0)) }.joined(separator: ".")
    }

    /// A name as one word of a subject: what has a meaning in subjects is written as `%` and two hex digits.
    static func word(_ name: String) -> String {
        if name.isEmpty { return "%" }
        if name.utf8.allSatisfy(isPlain) { return name }
        return name.utf8.map { byte in
            isPlain(byte)
                ? String(UnicodeScalar(byte))
                : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    static func isName(_ text: String) -> Bool { (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2d
            || byte == 0x5f
    }

    /// Whether all subjects that begin with a word are among those of a pattern.
    static func covers(_ pattern: String, prefix: String) -> Bool {
        pattern == ">" || pattern == "\(prefix).>" || pattern == "*.>"
    }
}
