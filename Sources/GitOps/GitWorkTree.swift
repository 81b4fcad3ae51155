import Glibc
import Machine

/// What the files of a Git work tree say, without running Git.
struct GitWorkTree {
    /// The directory of the repository itself.
    let gitDirectory: String
    private let top: String

    /// The work tree that a directory belongs to, if any.
    init?(containing directory: String) {
        var place = directory[...]
        while true {
            let dotGit = "\(place)/.git"
            var status = stat()
            if lstat(dotGit, &status) == 0 {
                if status.st_mode & S_IFMT == S_IFDIR {
                    (gitDirectory, top) = (dotGit, String(place))
                    return
                }
                // A linked work tree: the file names the place.
                guard let text = RegularFile.text(dotGit), text.hasPrefix("gitdir: ") else { return nil }
                let named = text.dropFirst(8).prefix { !$0.isNewline }
                gitDirectory = named.hasPrefix("/") ? String(named) : "\(place)/\(named)"
                top = String(place)
                return
            }
            guard let slash = place.lastIndex(of: "/"), slash > place.startIndex else { return nil }
            place = place[..<slash]
        }
    }

    /// Submodules below a directory that nobody has checked out, relative to it: what belongs there is out of sight.
    func emptySubmodules(below root: String) -> Set<String> {
        let lines = (RegularFile.text("\(top)/.gitmodules") ?? "").split(separator: "\n")
        let paths = lines.compactMap { line -> String? in
            let line = line.drop { $0 == " " || $0 == "\t" }
            return line.hasPrefix("path = ") ? "\(top)/\(line.dropFirst(7))" : nil
        }
        return Set(
            paths.filter { $0.hasPrefix("\(root)/") && Files.names(in: $0).isEmpty }.map {
                String($0.dropFirst(root.count + 1))
            })
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
            if let text = RegularFile.text("\(directory)/\(reference)") { return first(text) }
        }
        let packed = RegularFile.text("\(common)/packed-refs", limit: 16 << 20) ?? ""
        return packed.split(separator: "\n").first { $0.hasSuffix(" \(reference)") }.map {
            String($0.prefix { $0 != " " })
        }
    }

    private func line(_ name: String) -> String? { RegularFile.text("\(gitDirectory)/\(name)").flatMap(first) }

    private func first(_ text: String) -> String? { text.split(whereSeparator: \.isNewline).first.map(String.init) }
}
