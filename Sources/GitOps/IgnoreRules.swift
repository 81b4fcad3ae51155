import Glibc

/// The patterns of `.agentosignore`, with the meaning of `.gitignore`: one a line, `#` for comments, `!` takes back, a
/// slash at the end means directories, a slash elsewhere ties the pattern to the directory of the file, `*` and `?` stop
/// at slashes, a leading `**/` means any depth.
public struct IgnoreRules: Sendable {
    private struct Rule: Sendable {
        var pattern: String
        var isTakenBack: Bool
        var directoriesOnly: Bool
        var isAnchored: Bool
    }

    private var rules: [Rule] = []

    public init(_ text: String = "") {
        for line in text.split(whereSeparator: \.isNewline) {
            var pattern = line[...]
            while pattern.last == " " || pattern.last == "\t" { pattern = pattern.dropLast() }
            if pattern.isEmpty || pattern.first == "#" { continue }
            let isTakenBack = pattern.first == "!"
            if isTakenBack { pattern = pattern.dropFirst() }
            let directoriesOnly = pattern.last == "/"
            if directoriesOnly { pattern = pattern.dropLast() }
            var isAnchored = pattern.contains("/")
            if pattern.hasPrefix("**/") {
                pattern = pattern.dropFirst(3)
                isAnchored = pattern.contains("/")
            } else if pattern.first == "/" {
                pattern = pattern.dropFirst()
            }
            if pattern.isEmpty { continue }
            rules.append(
                Rule(
                    pattern: String(pattern), isTakenBack: isTakenBack, directoriesOnly: directoriesOnly,
                    isAnchored: isAnchored))
        }
    }

    /// - Parameter path: relative to the directory of the file.
    public func ignores(_ path: String, isDirectory: Bool) -> Bool {
        var result = false
        let name = path.split(separator: "/").last.map(String.init) ?? path
        for rule in rules where isDirectory || !rule.directoriesOnly {
            if fnmatch(rule.pattern, rule.isAnchored ? path : name, rule.isAnchored ? FNM_PATHNAME : 0) == 0 {
                result = !rule.isTakenBack
            }
        }
        return result
    }
}
