/// What a manifest calls an image: `[registry/]path[:tag][@digest]`.
///
/// Source: the reference grammar of the OCI distribution project, with the short names that Docker spells out.
package struct ImageReference: Sendable, Equatable {
    package let written: String
    /// Without tag and digest.
    private let name: String
    private let tag: String?
    package let digest: String?

    package init(_ text: String) {
        written = text
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        digest = parts.count > 1 ? String(parts[1]) : nil
        let tagged = parts.first ?? ""
        let last = tagged[(tagged.lastIndex(of: "/").map(tagged.index(after:)) ?? tagged.startIndex)...]
        if let colon = last.firstIndex(of: ":") {
            name = String(tagged[..<colon])
            tag = String(tagged[tagged.index(after: colon)...])
        } else {
            name = String(tagged)
            tag = nil
        }
    }

    /// Registry and path.
    private var repository: String {
        guard let slash = name.firstIndex(of: "/") else { return "docker.io/library/\(name)" }
        let first = name[..<slash]
        return first.contains(".") || first.contains(":") || first == "localhost" ? name : "docker.io/\(name)"
    }

    /// With registry, path, and tag or digest: what a registry is asked for, and the image's name afterwards.
    package var full: String {
        guard let digest else { return "\(repository):\(tag ?? "latest")" }
        return "\(repository)\(tag.map { ":\($0)" } ?? "")@\(digest)"
    }

    /// The registry's host, without its port.
    package var host: String { String(repository.prefix { $0 != "/" && $0 != ":" }) }

    /// What an image store may call it: as written, then as the tools of registries spell it out.
    package var names: [String] {
        var names: [String] = []
        for name in [written, "\(name):\(tag ?? "latest")", "\(repository):\(tag ?? "latest")", full]
        where !names.contains(name) {
            names.append(name)
        }
        return names
    }
}
