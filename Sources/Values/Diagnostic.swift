/// A place in a source text; line and column count from 1. Line 0 means that there is no text behind the value.
public struct Mark: Sendable, Hashable {
    public var line: UInt32
    public var column: UInt32

    public init(line: Int, column: Int) {
        self.line = UInt32(clamping: line)
        self.column = UInt32(clamping: column)
    }

    public static let none = Mark(line: 0, column: 0)
}

/// One error in a manifest: where it is, which field, and what was expected.
public struct Diagnostic: Sendable, Hashable {
    public var file: String
    public var mark: Mark
    /// The field as a Kubernetes path, `spec.env[2].name`; empty for the document as a whole.
    public var path: String
    public var message: String

    public init(file: String, mark: Mark, path: String, message: String) {
        self.file = file
        self.mark = mark
        self.path = path
        self.message = message
    }

    /// `file:line:column: path: message`, the form that editors can jump to.
    public var description: String {
        let place = mark.line == 0 ? file : "\(file):\(mark.line):\(mark.column)"
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

/// The errors found so far: the first `Limits.diagnosticsMax` in full, and the total.
public struct Diagnostics: Sendable {
    public private(set) var kept: [Diagnostic] = []
    public private(set) var total = 0

    public init() {}

    public var isEmpty: Bool { total == 0 }

    public mutating func add(_ diagnostic: Diagnostic) {
        total += 1
        if kept.count < Limits.diagnosticsMax { kept.append(diagnostic) }
    }

    public mutating func add(_ other: Diagnostics) {
        for diagnostic in other.kept { add(diagnostic) }
        total += other.total - other.kept.count
    }
}
