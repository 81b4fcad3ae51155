import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// What one file declares, as it was read.
struct ManifestFile {
    private(set) var stamp: Stamp
    private(set) var declared: [Declared] = []
    private(set) var errors: [String] = []
    private(set) var digest: UInt64 = 0
    /// It is read again next time although it seems unchanged: it changed so lately that another change would not show, or
    /// it was made from other files, too.
    private(set) var isFleeting = false

    /// Nil: it changed meanwhile.
    init?(
        _ root: String, _ path: String, shown: String, namespace: String, _ stamp: Stamp, _ secrets: SecretValues,
        drivers: DriverTable
    ) {
        let file = "\(shown)/\(path)"
        self.stamp = stamp
        let content: RegularFile.Content
        do throws(RegularFile.Problem) {
            content = try RegularFile.read(path, below: root, limit: Limits.inputBytesMax)
        } catch {
            switch error {
            case .failed(ENOENT), .leadsOut: return nil
            case .isNoFile("a directory"): return  // a link to a directory: that is read where it lies
            case .isNoFile, .isTooLarge: break
            case .failed: isFleeting = true
            }
            errors.append("\(file): \(error.words)")
            return
        }
        // A link's target may change without the link; and what changed just now may change again within the same tick.
        let found = Stamp(content.status)
        isFleeting = found != stamp || found.isFresh(100, agentos_wall_ms())
        var hash = Hash()
        hash.add(content.bytes)
        digest = hash.value
        var diagnostics = Diagnostics()
        let manifests = ManifestReader.read(
            content.bytes, file: file, namespace: namespace, drivers: drivers, diagnostics: &diagnostics)
        for manifest in manifests {
            take(manifest, secrets)
        }
        errors += diagnostics.kept.map(\.description)
        if diagnostics.total > diagnostics.kept.count {
            errors.append("\(file): … and \(diagnostics.total - diagnostics.kept.count) more errors")
        }
    }

    private mutating func take(_ manifest: Manifest, _ secrets: SecretValues) {
        var node = manifest.applied
        if manifest.kind == .secret, let references = node["dataFrom"]?.list {
            isFleeting = true
            var data = node["data"] ?? .emptyMap
            for (index, item) in references.enumerated() {
                do throws(AllowedPaths.Problem) {
                    data[item["key"]?.string ?? ""] = .text(Base64.encode(try secrets.value(item)))
                } catch {
                    errors.append(
                        "\(manifest.file):\(item.mark.line):\(item.mark.column): dataFrom[\(index)]: \(error.message)")
                }
            }
            node["data"] = data
            node["dataFrom"] = nil
        }
        var hash = Hash()
        hash.add(JSONWriter.bytes(node))
        declared.append(
            Declared(
                key: ObjectKey(manifest.kind, namespace: manifest.namespace, name: manifest.name), node: node,
                file: manifest.file, line: Int(manifest.mark.line), column: Int(manifest.mark.column),
                digest: hash.value, freshUID: UID(high: 0, low: 0)))
    }
}

/// Values of Secrets that lie beside the manifests.
struct SecretValues: Sendable {
    var files: AllowedPaths
    /// Variables of the daemon that Secrets may take their values from.
    var variables: Set<String>

    /// The value that an item of `dataFrom` refers to. Never told in an error.
    func value(_ item: Node) throws(AllowedPaths.Problem) -> [UInt8] {
        if let name = item["environment"]?.string {
            guard variables.contains(name) else {
                throw AllowedPaths.Problem(
                    message:
                        "the variable \(name) is not allowed; the daemon's option --secret-environment \(name) allows it"
                )
            }
            guard let value = getenv(name) else {
                throw AllowedPaths.Problem(message: "the daemon has no variable \(name)")
            }
            return Array(String(cString: value).utf8)
        }
        let path = item["file"]?.string ?? ""
        let place = try files.open(path)
        defer { close(place) }
        var bytes: [UInt8]
        do throws(RegularFile.Problem) {
            bytes = try RegularFile.read(place, limit: Limits.objectBytesMax).bytes
        } catch {
            throw AllowedPaths.Problem(message: "\(path): \(error.words)")
        }
        // As a line of a file is written; a value with a line end of its own has two.
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }
}
