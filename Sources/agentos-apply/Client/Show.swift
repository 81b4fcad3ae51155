import CLinux
import Glibc
import HTTPClient
import Manifests
import Values

/// Objects of one kind, as a table or in full, once or as they change.
struct Show {
    let session: Session
    let kind: Kind
    /// Nothing: all of them.
    let names: [String]
    /// Nil: all namespaces.
    let namespace: String?
    let selector: SelectorOption
    let format: Format
    let withNamespace: Bool
    var ignoresMissing = false
    var showsSecrets = false

    /// No more is read than what is shown.
    private var query: [(String, String)] { selector.query(name: names.count == 1 ? names[0] : nil) }

    func run(goesOn: Bool) throws -> ExitCode {
        if names.count == 1, let namespace, !goesOn, !selector.isGiven {
            let answer = try session.answer(
                Client.Request("GET", Session.path(kind, namespace: namespace, name: names[0])))
            if answer.status == 404, ignoresMissing { return .success }
            if !answer.isSuccess { throw session.problem(answer) }
            try show([ObjectView(session.node(answer))])
            return .success
        }
        let wanted = Set(names)
        var listing = try list(wanted)
        try show(listing.rows)
        let found = Set(listing.rows.map(\.name))
        let missing = ignoresMissing ? [] : names.filter { !found.contains($0) }
        for name in missing { Terminal.printError("\(kind.qualifiedResource) \"\(name)\" not found") }
        while goesOn { try follow(wanted, &listing) }
        if listing.rows.isEmpty, names.isEmpty, format == .table || format == .wide {
            let place = kind.isNamespaced ? namespace.map { " in namespace \($0)" } ?? "" : ""
            Terminal.note("No \(kind.resource)\(place).")
        }
        return missing.isEmpty ? .success : .failure
    }

    private func list(_ wanted: Set<String>) throws -> Listing<ObjectView> {
        try session.list(kind, namespace: namespace, query: query) { node in
            let object = ObjectView(node)
            return wanted.isEmpty || wanted.contains(object.name) ? object : nil
        }
    }

    /// Shows changes until the daemon ends the watch; then what has changed meanwhile.
    private func follow(_ wanted: Set<String>, _ listing: inout Listing<ObjectView>) throws {
        var shown = Dictionary(
            listing.rows.map { ($0.uid, $0.version) }, uniquingKeysWith: { first, _ in first })
        var request = Client.Request("GET", Session.path(kind, namespace: namespace), query: query)
        request.query += [("watch", "true"), ("resourceVersion", listing.version)]
        request.timeoutMs = nil
        let end = try session.watch(request) { change in
            if !wanted.isEmpty, !wanted.contains(change.object.name) { return true }
            shown[change.object.uid] = change.object.version
            try show([change.object], withHeader: false)
            return true
        }
        // A daemon that ends every watch at once is not asked without pause.
        if end == .ended { usleep(200_000) }
        listing = try list(wanted)
        for object in listing.rows where shown[object.uid] != object.version {
            try show([object], withHeader: false)
        }
    }

    private func show(_ whole: [ObjectView], withHeader: Bool = true) throws {
        let objects = showsSecrets ? whole : whole.map(\.withoutValues)
        switch format {
        case .yaml, .json:
            let isSingle = objects.count == 1 && (names.count == 1 || !withHeader)
            let node =
                isSingle
                ? objects[0].node
                : .map([("apiVersion", "v1"), ("kind", "List"), ("items", .list(objects.map(\.node)))])
            try Terminal.print(format == .yaml ? YAMLWriter.text(node) : JSONWriter.text(node, pretty: true))
        case .name:
            for object in objects { try Terminal.print("\(kind.qualifiedSingular)/\(object.name)") }
        case .table, .wide:
            guard !objects.isEmpty else { return }
            let table = ObjectTable(
                kind, isWide: format == .wide, withNamespace: withNamespace, nowMs: agentos_wall_ms())
            try Terminal.print(
                Table(table.header, objects.map(table.cells), hasColor: Terminal.hasColor).text(withHeader: withHeader))
        }
    }
}
