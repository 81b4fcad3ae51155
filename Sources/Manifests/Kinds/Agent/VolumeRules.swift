import Values

/// Volumes of agents and where they are mounted.
extension Validator {
    mutating func checkVolumes(_ spec: Node) {
        let kinds = ["persistent", "emptyDir", "hostPath", "secret", "configMap"]
        var names: Set<String> = []
        for (index, item) in (spec["volumes"]?.list ?? []).enumerated() {
            if kinds.filter({ item[$0] != nil }).count != 1 {
                report(item.mark, "spec.volumes[\(index)]", "expected exactly one of \(kinds.joined(separator: ", "))")
            }
            let name = item["name"]?.string ?? ""
            if !names.insert(name).inserted {
                report(item.mark, "spec.volumes[\(index)].name", "\"\(name)\" stands twice")
            }
        }
        var paths: Set<String> = []
        for (index, item) in (spec["volumeMounts"]?.list ?? []).enumerated() {
            let name = item["name"]?.string ?? ""
            let path = item["mountPath"]?.string ?? ""
            if !names.contains(name) {
                report(
                    item.mark, "spec.volumeMounts[\(index)].name",
                    "spec.volumes has no \"\(name)\"\(Suggestion.text(for: name, among: names.sorted()))")
            }
            // `/a`, `/a/` and `//a/.` are one place.
            let place = path.split(separator: "/").filter { $0 != "." }
            if place.isEmpty || place.contains("..") || !paths.insert(place.joined(separator: "/")).inserted {
                report(
                    item.mark, "spec.volumeMounts[\(index)].mountPath",
                    "must be a path of its own below /, without \"..\"")
            }
        }
    }
}
