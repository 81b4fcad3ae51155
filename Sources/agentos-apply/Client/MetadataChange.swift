package import Values

/// Changes of labels or annotations, as words say them: `KEY=VALUE` sets, `KEY-` removes.
package struct MetadataChange: Equatable {
    package private(set) var sets: [String: String] = [:]
    package private(set) var removes: Set<String> = []

    /// Where the changes begin among words whose first name objects.
    package static func start(in words: [String]) -> Int {
        words.firstIndex { $0.contains("=") || $0.hasSuffix("-") } ?? words.count
    }

    package init(_ words: some Sequence<String>) throws(Mistake) {
        for word in words {
            let key: String
            if let equals = word.firstIndex(of: "=") {
                key = String(word[..<equals])
                if sets.updateValue(String(word[word.index(after: equals)...]), forKey: key) != nil {
                    throw Mistake("\(key) is set twice")
                }
            } else if word.hasSuffix("-") {
                key = String(word.dropLast())
                removes.insert(key)
            } else {
                throw Mistake("\"\(word)\": expected KEY=VALUE, or KEY- to remove it")
            }
            if key.isEmpty { throw Mistake("\"\(word)\": the key is missing") }
        }
        if let both = sets.keys.sorted().first(where: removes.contains) {
            throw Mistake("\(both) is both set and removed")
        }
    }

    /// The change of one object as a part of a merge patch; nil when it is as wished already.
    ///
    /// - Throws: when a key has another value and may not be overwritten.
    package func patch(_ present: [String: String], overwrites: Bool) throws(Mistake) -> Node? {
        if !overwrites, let taken = sets.keys.sorted().first(where: { present[$0] != nil && present[$0] != sets[$0] }) {
            throw Mistake("\(taken) is \"\(present[taken] ?? "")\" already; give --overwrite to change it")
        }
        let changed = sets.filter { present[$0.key] != $0.value }.map { ($0.key, Optional(Node.text($0.value))) }
        let removed = removes.filter { present[$0] != nil }.map { ($0, Optional(Node(.null))) }
        let entries = (changed + removed).sorted { $0.0 < $1.0 }
        return entries.isEmpty ? nil : .map(entries)
    }
}
