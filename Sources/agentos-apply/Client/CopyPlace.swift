/// One side of a copy: a path of this machine, or one that an agent sees.
package enum CopyPlace: Equatable {
    case here(String)
    case agent(String, path: String)

    /// `AGENT:PATH` and `agent/AGENT:PATH` are an agent's; a path with a `/` before its first `:` is none.
    package init(_ word: String) throws(Mistake) {
        guard let colon = word.firstIndex(of: ":") else {
            self = .here(word)
            return
        }
        var name = word[..<colon]
        for prefix in ["agent/", "agents/"] where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
        if name.contains("/") || name.isEmpty {
            self = .here(word)
            return
        }
        let path = String(word[word.index(after: colon)...])
        if path.isEmpty { throw Mistake("\"\(word)\": the path in the agent is missing") }
        self = .agent(String(name), path: path)
    }

    /// The last name of a path; one that leads upwards names nothing, and stays where it is put.
    package static func base(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? "."
        return name == ".." ? "." : name
    }
}
