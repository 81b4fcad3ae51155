import Manifests
import Values

/// A field of a kind by its place in the description, with the smallest object that holds it.
struct DescribedField: CustomStringConvertible {
    let kind: Kind
    let path: [String]
    let shape: Shape

    var description: String { "\(kind.rawValue) \(path.joined(separator: "."))" }

    /// As diagnostics write it.
    var text: String { path.joined(separator: ".").replacing(".[", with: "[").replacing("[]", with: "[0]") }

    /// All fields of all kinds whose shape is asked for.
    static func all(where isWanted: (Shape) -> Bool) -> [DescribedField] {
        Kind.allCases.flatMap { kind in fields(kind, .object(kind.fields), []).filter { isWanted($0.shape) } }
    }

    private static func fields(_ kind: Kind, _ shape: Shape, _ path: [String]) -> [DescribedField] {
        let own = path.isEmpty ? [] : [DescribedField(kind: kind, path: path, shape: shape)]
        switch shape {
        case .object(let fields), .union(let fields):
            return own + fields.flatMap { self.fields(kind, $0.shape, path + [$0.name]) }
        case .list(let item, _, _): return own + fields(kind, item, path + ["[]"])
        case .string, .integer, .number, .boolean, .quantity, .enumeration, .driver, .strings, .anything: return own
        }
    }

    /// The smallest object of the kind in which the field has this value.
    func object(_ value: Node) -> Node {
        var object = Self.put(value, path[...], .object(kind.fields))
        object["apiVersion"] = .text(kind.apiVersion)
        object["kind"] = .text(kind.rawValue)
        object["metadata"] = object["metadata"] ?? .map([("name", "a")])
        object["metadata"]?["name"] = "a"
        if kind == .agent { complete(&object) }
        return object
    }

    /// What the field is nothing without.
    private func complete(_ object: inout Node) {
        if object[path: "spec", "command"] == nil { object["spec"]?["command"] = ["x"] }
        guard path.count > 2 else { return }
        let actions: (need: [String], fallback: (String, Node))? =
            switch path[1] {
            case "startupProbe", "readinessProbe", "livenessProbe":
                (["exec", "httpGet", "tcpSocket"], ("exec", .map([("command", ["x"])])))
            case "volumes": (["persistent", "emptyDir", "hostPath", "secret", "configMap"], ("emptyDir", .emptyMap))
            case "envFrom": (["configMapRef", "secretRef"], ("secretRef", .map([("name", "a")])))
            default: nil
            }
        guard let actions, var part = object[path: "spec", path[1]] else { return }
        var item = part.list?.first ?? part
        if actions.need.allSatisfy({ item[$0] == nil }) { item[actions.fallback.0] = actions.fallback.1 }
        part = part.list == nil ? item : [item]
        object["spec"]?[path[1]] = part
    }

    private static func put(_ value: Node, _ path: ArraySlice<String>, _ shape: Shape) -> Node {
        guard let step = path.first else { return value }
        switch shape {
        case .object(let fields):
            var node = smallest(shape)
            for field in fields where field.name == step { node[step] = put(value, path.dropFirst(), field.shape) }
            return node
        case .union(let fields):
            return .map(fields.filter { $0.name == step }.map { ($0.name, put(value, path.dropFirst(), $0.shape)) })
        case .list(let item, _, _): return [put(value, path.dropFirst(), item)]
        case .string, .integer, .number, .boolean, .quantity, .enumeration, .driver, .strings, .anything: return value
        }
    }

    static func smallest(_ shape: Shape) -> Node {
        switch shape {
        case .string(let rule): .text(smallest(rule))
        case .integer(let range): .number(range.lowerBound)
        case .number(let range): Node(.double(range.lowerBound))
        case .boolean: false
        case .quantity: "1"
        case .enumeration(let words): .text(words[0])
        case .driver: "process"
        case .list(let item, _, let nonEmpty): nonEmpty ? [smallest(item)] : []
        case .strings, .anything: .emptyMap
        case .object(let fields): .map(fields.filter(\.required).map { ($0.name, smallest($0.shape)) })
        case .union(let fields): .map(fields.prefix(1).map { ($0.name, smallest($0.shape)) })
        }
    }

    private static func smallest(_ rule: StringRule) -> String {
        switch rule {
        case .absolutePath: "/a"
        case .environmentName: "A"
        case .signal: "SIGTERM"
        case .base64: "YQ=="
        case .duration: "1s"
        case .gitURL: "https://a/b"
        case .any, .nonEmpty, .label, .subdomain, .labelKey, .labelValue, .configKey, .headerName, .line, .pathPart: "a"
        }
    }
}
