import Drivers
package import Manifests
package import Values

/// The text of an object while somebody edits it.
package struct EditedText {
    package let kind: Kind
    package let namespace: String
    package let name: String

    package init(_ kind: Kind, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    private static let rule = "# " + String(repeating: "-", count: 60)

    /// What the editor gets: how to go on, what was wrong, and the object.
    package func whole(_ text: String, problems: [String]) -> String {
        var head = [
            "# \(kind.rawValue) \(name). An empty file, or one that is left as it is, ends without a change.",
            "# When it cannot be saved, it is opened again, with the reason here.",
        ]
        if !problems.isEmpty { head += ["#"] + problems.flatMap { $0.split(separator: "\n") }.map { "# \($0)" } }
        return (head + [Self.rule]).map { "\($0)\n" }.joined() + text
    }

    /// What somebody wrote, without the head.
    package func text(of whole: String) -> String {
        let lines = whole.split(omittingEmptySubsequences: false, whereSeparator: \.isLineEnd)
        let head = lines.prefix { $0.hasPrefix("#") }.count
        return lines.dropFirst(head).joined(separator: "\n")
    }

    package func isEmpty(_ text: String) -> Bool {
        text.split(whereSeparator: \.isLineEnd).allSatisfy { line in
            let line = line.drop { $0 == " " || $0 == "\t" }
            return line.isEmpty || line.hasPrefix("#") || line == "---"
        }
    }

    /// The object that the text declares, which must be the one that was opened; otherwise what is wrong.
    package func read(_ text: String, file: String) -> Result<Node, Problems> {
        // Lines are those of the whole file, which is what the editor shows.
        let lead = whole("", problems: []).split(separator: "\n").count
        var set = ManifestSet(namespace: namespace.isEmpty ? "default" : namespace, drivers: .all)
        set.read(Array((String(repeating: "#\n", count: lead) + text).utf8), file: file)
        let manifests: [Manifest]
        do throws(ManifestSet.Errors) { manifests = try set.ordered() } catch { return .failure(Problems(error.lines)) }
        guard manifests.count == 1 else { return .failure(Problems(["expected one object, found \(manifests.count)"])) }
        let manifest = manifests[0]
        let isSame =
            manifest.kind == kind && manifest.name == name && (!kind.isNamespaced || manifest.namespace == namespace)
        guard isSame else {
            return .failure(Problems(["kind, name and namespace of an object cannot be changed; create another one"]))
        }
        return .success(manifest.applied)
    }

    package struct Problems: Error {
        package var lines: [String]

        package init(_ lines: [String]) { self.lines = lines }
    }
}
