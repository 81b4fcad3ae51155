public import Values

/// What is declared together: valid, each object once, in the order in which objects are applied.
public struct ManifestSet: Sendable {
    /// All errors of a set, file by file, from the top of each.
    public struct Errors: Error {
        public let diagnostics: Diagnostics

        /// One line for each that was kept, and one that counts the rest.
        public var lines: [String] {
            var order: [String: Int] = [:]
            for diagnostic in diagnostics.kept where order[diagnostic.file] == nil {
                order[diagnostic.file] = order.count
            }
            func place(_ diagnostic: Diagnostic) -> (Int, UInt32, UInt32) {
                (order[diagnostic.file] ?? 0, diagnostic.mark.line, diagnostic.mark.column)
            }
            let more = diagnostics.total - diagnostics.kept.count
            return diagnostics.kept.sorted { place($0) < place($1) }.map(\.description)
                + (more > 0 ? ["… and \(more) more"] : [])
        }
    }

    private struct Identity: Hashable {
        var kind: Kind
        var namespace: String
        var name: String
    }

    private let namespace: String
    private let drivers: DriverTable
    private var manifests: [Manifest] = []
    private var places: [Identity: String] = [:]
    private var diagnostics = Diagnostics()
    private var firstFile: String?

    /// - Parameter namespace: given to objects that name none.
    public init(namespace: String = "default", drivers: DriverTable) {
        self.namespace = namespace
        self.drivers = drivers
    }

    /// Takes the objects of one file.
    public mutating func read(_ bytes: [UInt8], file: String) {
        firstFile = firstFile ?? file
        let read = ManifestReader.read(
            bytes, file: file, namespace: namespace, drivers: drivers, diagnostics: &diagnostics)
        for manifest in read {
            let identity = Identity(kind: manifest.kind, namespace: manifest.namespace, name: manifest.name)
            if let first = places[identity] {
                diagnostics.add(
                    Diagnostic(
                        file: file, mark: manifest.mark, path: "metadata.name",
                        message: "\(manifest.kind.rawValue) \"\(manifest.name)\" is declared twice; first in \(first)"))
            } else {
                places[identity] = "\(file):\(manifest.mark.line)"
                manifests.append(manifest)
            }
        }
    }

    /// The objects in the order in which they are applied. Files without an object declare nothing; a set without one
    /// is a mistake.
    public func ordered() throws(Errors) -> [Manifest] {
        var diagnostics = diagnostics
        if diagnostics.isEmpty, manifests.isEmpty, let firstFile {
            diagnostics.add(
                Diagnostic(
                    file: firstFile, mark: Mark(line: 1, column: 1), path: "",
                    message: "no object in this file: expected apiVersion, kind and metadata"))
        }
        guard diagnostics.isEmpty else { throw Errors(diagnostics: diagnostics) }
        return manifests.enumerated().sorted { ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset) }
            .map(\.element)
    }
}
