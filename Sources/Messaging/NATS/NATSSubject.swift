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

    /// All subjects of events: they have four words or more, and so requests are not among them.
    static func events(prefix: String) -> String { "\(prefix).*.*.>" }

    /// Where requests come.
    static func requests(prefix: String, _ namespace: String) -> String { "\(prefix).\(namespace).requests" }

    /// Whether the subjects of all events are among those of a pattern.
    static func covers(_ pattern: String, prefix: String) -> Bool {
        [">", "*.>", "\(prefix).>", "*.*.*.>", events(prefix: prefix)].contains(pattern)
    }

    /// Whether answers may go to a subject: who asks could otherwise publish in the daemon's name.
    static func isInbox(_ subject: String) -> Bool {
        let first = subject.prefix { $0 != "." }
        return first.utf8.count < subject.utf8.count && (first.hasPrefix("_INBOX") || first == "_R_")
    }
}
