/// A place in a document (RFC 6901), as the names on the way to it.
struct JSONPointer: Sendable, Equatable {
    let names: [String]

    /// Nil for a text that is no pointer.
    init?(_ text: String) {
        if text.isEmpty {
            names = []
            return
        }
        guard text.hasPrefix("/") else { return nil }
        var names: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            var name = ""
            var isEscaped = false
            for character in part.unicodeScalars {
                switch (isEscaped, character) {
                case (false, "~"): isEscaped = true
                case (true, "0"): name.unicodeScalars.append("~")
                case (true, "1"): name.unicodeScalars.append("/")
                case (true, _): return nil
                case (false, let other): name.unicodeScalars.append(other)
                }
                if character != "~" { isEscaped = false }
            }
            if isEscaped { return nil }
            names.append(name)
        }
        self.names = names
    }

    /// The pointer as it is written, as far as anybody reads it.
    var text: String {
        let text = names.map { "/\(String($0.prefix(256)).replacing("~", with: "~0").replacing("/", with: "~1"))" }
            .joined()
        return text.count > 256 ? "\(text.prefix(256))…" : text
    }

    /// Whether this place is inside of the other.
    func isInside(_ other: JSONPointer) -> Bool {
        names.count > other.names.count && names.starts(with: other.names)
    }
}
