import Glibc
import Manifests
package import Values

/// The values of a Secret or ConfigMap, as the options of `create` say them.
package struct LiteralData {
    package private(set) var values: [String: [UInt8]] = [:]

    package init() {}

    /// `KEY=VALUE`.
    package mutating func addLiteral(_ word: String) throws(Mistake) {
        guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
            throw Mistake("--from-literal: expected KEY=VALUE, found \"\(word)\"")
        }
        try add(String(word[..<equals]), Array(word[word.index(after: equals)...].utf8))
    }

    /// `PATH`, whose key is the name of the file, `KEY=PATH`, or a directory whose files are all taken.
    mutating func addFile(_ word: String) throws {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = parts[parts.count - 1]
        if parts.count == 2, parts[0].isEmpty || path.isEmpty {
            throw Mistake("--from-file: expected PATH or KEY=PATH, found \"\(word)\"")
        }
        if LocalFile.isDirectory(path) {
            if parts.count == 2 { throw Mistake("--from-file: \(path) is a directory, which takes no key") }
            for name in LocalFile.names(in: path) where !LocalFile.isDirectory("\(path)/\(name)") {
                try add(name, Self.content("\(path)/\(name)"))
            }
            return
        }
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        try add(parts.count == 2 ? parts[0] : name, Self.content(path))
    }

    private static func content(_ path: String) throws -> [UInt8] {
        let bytes = try LocalFile.read(path, limit: Limits.objectBytesMax, isText: false)
        if bytes.count > Limits.objectBytesMax {
            throw CommandProblem(
                .invalid, "\(path): is larger than \(Limits.objectBytesMax) bytes, the most of an object")
        }
        return bytes
    }

    mutating func addVariables(_ path: String) throws {
        guard let text = String(validating: try Self.content(path), as: UTF8.self) else {
            throw CommandProblem(.invalid, "\(path): is no text")
        }
        do throws(Mistake) { try addVariables(text, file: path, Paths.environment) } catch {
            throw CommandProblem(.invalid, error.message)
        }
    }

    /// Lines `KEY=VALUE`; a line `KEY` takes the variable of this program's environment; `#` begins a comment line.
    package mutating func addVariables(
        _ text: String, file: String, _ environment: (String) -> String?
    ) throws(Mistake) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isLineEnd).enumerated() {
            let shown = line.drop { $0 == " " || $0 == "\t" }
            if shown.isEmpty || shown.hasPrefix("#") { continue }
            let parts = shown.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard StringRule.environmentName.accepts(parts[0]) else {
                throw Mistake("\(file):\(index + 1): expected NAME=VALUE, found \"\(shown.prefix(64))\"")
            }
            guard let value = parts.count == 2 ? parts[1] : environment(parts[0]) else {
                throw Mistake("\(file):\(index + 1): the variable \(parts[0]) is not set here")
            }
            try add(parts[0], Array(value.utf8))
        }
    }

    private mutating func add(_ key: String, _ value: [UInt8]) throws(Mistake) {
        guard StringRule.configKey.accepts(key) else {
            throw Mistake("\"\(key)\" cannot be a key: expected letters, digits, '-', '_' or '.'")
        }
        if values.updateValue(value, forKey: key) != nil { throw Mistake("the key \"\(key)\" is given twice") }
    }

    /// As text; a ConfigMap holds nothing else.
    package func text() throws(Mistake) -> Node {
        var texts: [String: String] = [:]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let text = String(validating: value, as: UTF8.self) else {
                throw Mistake("\"\(key)\" is no text, which is all that a ConfigMap holds; make a Secret of it")
            }
            texts[key] = text
        }
        return .strings(texts)
    }

    package var base64: Node { .strings(values.mapValues { Base64.encode($0) }) }
}

extension Character {
    /// The end of a line in a file, also of one from another system.
    var isLineEnd: Bool { self == "\n" || self == "\r\n" }
}
