import Values

/// What the shape of single fields cannot say about a Source.
extension Validator {
    mutating func checkSource(_ object: Node) {
        guard let spec = object["spec"] else { return }
        if (spec["path"] == nil) == (spec["git"] == nil) {
            report(spec.mark, "spec", "expected exactly one of path, git")
        }
        for (field, path) in [("spec.path", spec["path"]), ("spec.git.path", spec[path: "git", "path"])] {
            guard let path, (path.string ?? "").split(separator: "/").contains("..") else { continue }
            report(path.mark, field, "must not hold \"..\"")
        }
        if let branch = spec[path: "git", "branch"], let name = branch.string,
            name.hasPrefix("-") || name.contains("..") || name.utf8.contains(where: { $0 <= 0x20 })
        {
            report(branch.mark, "spec.git.branch", "must be the name of a branch")
        }
    }
}
