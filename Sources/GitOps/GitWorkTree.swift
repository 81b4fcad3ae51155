import Glibc
import Machine

/// What the files of a Git work tree say, without running Git.
struct GitWorkTree {
    /// The directory of the repository itself.
    let gitDirectory: String

    /// The work tree that a directory belongs to, if any.
    init?(containing directory: String) {
        var place = directory[...]
        while true {
            let dotGit = "\(place)/.git"
            var status = stat()
            if lstat(dotGit, &status) == 0 {
                if status.st_mode & S_IFMT == S_IFDIR {
                    gitDirectory = dotGit
                    return
                }
                // A linked work tree: the file names the place.
                guard let text = Files.text(dotGit), text.hasPrefix("gitdir: ") else { return nil }
                let named = text.dropFirst(8).prefix { !$0.isNewline }
                gitDirectory = named.hasPrefix("/") ? String(named) : "\(place)/\(named)"
                return
            }
            guard let slash = place.lastIndex(of: "/"), slash > place.startIndex else { return nil }
            place = place[..<slash]
        }
    }

    /// Git is changing the work tree at this moment.
    var isBusy: Bool { Files.exists("\(gitDirectory)/index.lock") }

    /// `branch@commit`, or the commit alone when no branch is checked out.
    var revision: String? {
        guard let head = line("HEAD") else { return nil }
        guard head.hasPrefix("ref: ") else { return head }
        let reference = String(head.dropFirst(5))
        let branch = reference.hasPrefix("refs/heads/") ? String(reference.dropFirst(11)) : reference
        return commit(of: reference).map { "\(branch)@\($0)" }
    }

    private func commit(of reference: String) -> String? {
        let common = line("commondir").map { $0.hasPrefix("/") ? $0 : "\(gitDirectory)/\($0)" } ?? gitDirectory
        for directory in [gitDirectory, common] {
            if let text = Files.text("\(directory)/\(reference)") { return first(text) }
        }
        let packed = Files.text("\(common)/packed-refs", limit: 16 << 20) ?? ""
        return packed.split(separator: "\n").first { $0.hasSuffix(" \(reference)") }.map {
            String($0.prefix { $0 != " " })
        }
    }

    private func line(_ name: String) -> String? { Files.text("\(gitDirectory)/\(name)").flatMap(first) }

    private func first(_ text: String) -> String? { text.split(whereSeparator: \.isNewline).first.map(String.init) }
}
