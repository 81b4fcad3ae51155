/// Where manifests come from, and the namespace of those that name none.
package struct ManifestOptions: OptionGroup {
    @Option("filename", short: "f", value: "PATH", "file, directory or - for standard input; may be repeated")
    var paths: [String]
    @Flag("recursive", short: "R", "also the directories below") var isRecursive
    @Option("namespace", short: "n", value: "NAME", "namespace (default: default)") var namespace: String?
}

/// One namespace.
package struct NamespaceOption: OptionGroup {
    @Option("namespace", short: "n", value: "NAME", "namespace (default: default)") var given: String?

    var name: String { given ?? "default" }
}

/// One namespace or all of them.
package struct ScopeOptions: OptionGroup {
    @Option("namespace", short: "n", value: "NAME", "namespace (default: default)") var namespace: String?
    @Flag("all-namespaces", short: "A", "all namespaces") var isAll
}

package struct TimeoutOption: OptionGroup {
    @Option("timeout", value: "TIME", "longest time to wait, such as 30s, 5m (default: 5m)") private var given: Span?

    var ms: Int64 { given?.ms ?? 300_000 }
}

/// How objects are shown.
package enum Format: String, OutputChoice {
    case table, wide, yaml, json, name
}

/// Forms of output. Those that kubectl has beside these are refused by their names.
package protocol OutputChoice: Choice {}

extension OutputChoice {
    package static func refusal(_ word: String) -> String? {
        let name = String(word.prefix { $0 != "=" })
        let known = [
            "jsonpath", "jsonpath-as-json", "jsonpath-file", "custom-columns", "custom-columns-file", "go-template",
            "go-template-file", "template", "templatefile",
        ]
        guard known.contains(name) else { return nil }
        return "\(name) is not built; print -o json and take what you need with another program, such as jq"
    }
}

package struct OutputOption: OptionGroup {
    @Option("output", short: "o", value: "FORMAT", "table, wide, yaml, json or name") var format = Format.table
}

/// Which daemon is meant; every verb has these.
package struct ConnectionOptions: OptionGroup {
    @Option("state-dir", value: "DIR", "state directory of the daemon") var stateDirectory: String?
    @Option("socket", value: "PATH", "socket of the daemon") var socket: String?
    @Option("kubeconfig", value: "FILE", "a daemon that listens for others, over TLS, as the user of this file")
    var kubeconfig: String?
    @Option("context", value: "NAME", "this context of --kubeconfig, KUBECONFIG or ~/.kube/config") var context: String?

    var isRemote: Bool { kubeconfig != nil || context != nil }
}

package struct SelectorOption: OptionGroup {
    @Option("selector", short: "l", value: "LABELS", "only objects with these labels: a=b,c!=d") private var labels:
        String?
    @Option("field-selector", value: "FIELDS", "only objects with these fields: metadata.name=a,status.phase!=Ready")
    private var fields: String?

    var isGiven: Bool { labels != nil || fields != nil }

    /// It is given and has nothing in it, as a variable that is not set.
    var takesAll: Bool {
        let given = [labels, fields].compactMap(\.self)
        return isGiven && given.allSatisfy { $0.allSatisfy { $0 == "," || $0.isWhitespace } }
    }

    /// As the daemon is asked; of one object alone where a name is given.
    func query(name: String? = nil) -> [(String, String)] {
        let fields = [fields, name.map { "metadata.name=\($0)" }].compactMap(\.self)
        return (labels.map { [("labelSelector", $0)] } ?? [])
            + (fields.isEmpty ? [] : [("fieldSelector", fields.joined(separator: ","))])
    }
}

package struct WatchOption: OptionGroup {
    @Flag("watch", short: "w", "go on and show changes") var isOn
}
