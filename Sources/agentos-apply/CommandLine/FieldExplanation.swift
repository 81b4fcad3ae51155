package import Manifests
import Values

/// What one field of a kind is, in words made of its description.
package struct FieldExplanation {
    /// Columns of text.
    package var width: Int
    /// Also all fields below those that are shown.
    package var isRecursive: Bool
    /// Those that `driver` may name.
    package var drivers: DriverTable

    package init(width: Int, isRecursive: Bool, drivers: DriverTable) {
        self.width = width
        self.isRecursive = isRecursive
        self.drivers = drivers
    }

    /// - Parameter path: names of fields below the kind.
    package func text(_ kind: Kind, _ path: [String]) throws(Mistake) -> String {
        var fields = kind.fields
        var field: Field?
        for (index, name) in path.enumerated() {
            guard let next = fields.first(where: { $0.name == name }) else {
                let place = ([kind.singular] + path[..<index]).joined(separator: ".")
                let hint = Suggestion.text(for: name, among: fields.map(\.name))
                let has = fields.isEmpty ? "it has no fields" : "it has \(fields.map(\.name).joined(separator: ", "))"
                throw Mistake("\(place) has no field \"\(name)\"\(hint); \(has)")
            }
            field = next
            fields = next.shape.fields
        }
        var out = "KIND:     \(kind.rawValue)\nVERSION:  \(kind.apiVersion)\n"
        if let field { out += "FIELD:    \(path.joined(separator: ".")) <\(field.shape.word)>\n" }
        out += "\n" + Paragraph.text(field?.text ?? kind.definition.text, width: width)
        if let field { out += facts(field) }
        if !fields.isEmpty { out += "\nFIELDS:\n" + list(fields, indent: 2) }
        return out
    }

    private func facts(_ field: Field) -> String {
        var facts: [(String, String)] = []
        if field.required { facts.append(("required", "yes")) }
        if let fallback = field.fallback(among: drivers), fallback.map?.isEmpty != true {
            facts.append(("default", fallback.string ?? JSONWriter.text(fallback)))
        }
        if let values = field.shape.values(drivers.names) { facts.append(("values", values)) }
        if field.restarts { facts.append(("restarts", "a change of it restarts the replicas")) }
        return facts.isEmpty ? "" : "\n" + facts.map { "  \($0.0): \($0.1)\n" }.joined()
    }

    private func list(_ fields: [Field], indent: Int) -> String {
        let heads = fields.map { "\($0.name) <\($0.shape.word)>\($0.required ? " required" : "")" }
        let column = min(40, (heads.map(\.count).max() ?? 0) + 2)
        return zip(fields, heads).map { field, head in
            let margin = String(repeating: " ", count: indent)
            let below = isRecursive ? list(field.shape.fields, indent: indent + 2) : ""
            let text = Paragraph.text(field.text, width: max(20, width - indent - column)).dropLast()
            let lines = text.split(separator: "\n")
            let gap = String(repeating: " ", count: max(2, column - head.count))
            let rest = lines.dropFirst().map { "\n" + String(repeating: " ", count: indent + column) + $0 }.joined()
            return "\(margin)\(head)\(gap)\(lines.first ?? "")\(rest)\n\(below)"
        }.joined()
    }
}

/// Text in lines.
package enum Paragraph {
    /// Lines of at most so many columns, broken between words; each ends.
    package static func text(_ text: String, width: Int) -> String {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.map { "\($0)\n" }.joined()
    }
}

extension Shape {
    /// The fields of the values, also of those in a list.
    package var fields: [Field] {
        switch self {
        case .object(let fields), .union(let fields): fields
        case .list(let item, _, _): item.fields
        case .string, .integer, .number, .boolean, .quantity, .enumeration, .driver, .strings, .anything: []
        }
    }

    fileprivate var word: String {
        switch self {
        case .string, .enumeration, .driver: "string"
        case .integer: "integer"
        case .number: "number"
        case .boolean: "boolean"
        case .quantity: "quantity"
        case .list(let item, _, _): "[]\(item.word)"
        case .strings: "map[string]string"
        case .object, .union: "object"
        case .anything: "any"
        }
    }

    /// Which values are taken, where that is more than the type says.
    fileprivate func values(_ drivers: [String]) -> String? {
        switch self {
        case .integer(let range): "from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "from \(JSONWriter.text(Node(.double(range.lowerBound)))) to \(JSONWriter.text(Node(.double(range.upperBound))))"
        case .enumeration(let words): words.joined(separator: ", ")
        case .driver: drivers.joined(separator: ", ")
        case .list(let item, let max, let nonEmpty):
            "\(nonEmpty ? "1" : "0") to \(max) of them\(item.values(drivers).map { ", each \($0)" } ?? "")"
        case .quantity(let rule): rule.words
        case .union(let fields): "exactly one of \(fields.map(\.name).joined(separator: ", "))"
        case .string(let rule): rule.words
        case .boolean: "true, false"
        case .strings, .object, .anything: nil
        }
    }
}

extension StringRule {
    fileprivate var words: String? {
        switch self {
        case .any, .nonEmpty: nil
        case .label(let longest): "lower-case letters, digits and '-', at most \(longest)"
        case .subdomain: "lower-case letters, digits, '-' and '.', at most 253"
        case .labelKey: "[prefix/]name"
        case .labelValue: "at most 63 letters, digits, '-', '_' or '.'"
        case .environmentName: "a name of a variable"
        case .configKey: "letters, digits, '-', '_' or '.'"
        case .absolutePath: "an absolute path"
        case .signal: "a signal, such as SIGTERM"
        case .base64: "base64"
        case .headerName: "a name of an HTTP header"
        case .line: "one line"
        case .duration: "a time such as 500ms, 30s, 5m or 1h"
        case .gitURL: "an address that git understands"
        case .pathPart: "a name without '/'"
        }
    }
}
