/// Finds what serves a method and a path. Patterns are paths with names in braces: `/namespaces/{namespace}/agents`.
public struct Router {
    /// What a method and a path lead to.
    public enum Match {
        /// The number of the target, and what stands at the names of its pattern, in their order.
        case found(Int, [String])
        /// The path is there, with other methods.
        case otherMethods([String])
        case none
    }

    private final class Place {
        /// A few at each place: they are found sooner in a row than by their hashes.
        var literals: [(text: String, place: Place)] = []
        var name: Place?
        var targets: [(method: String, target: Int)] = []

        func literal(_ text: String) -> Place? {
            for index in literals.indices where literals[index].text == text { return literals[index].place }
            return nil
        }
    }

    private let root = Place()

    public init() {}

    /// Adds a target. Two targets of one method and path are a mistake of the program.
    public func add(_ method: String, _ pattern: String, _ target: Int) {
        var place = root
        for part in pattern.split(separator: "/") {
            let next: Place
            if part.hasPrefix("{") {
                next = place.name ?? Place()
                place.name = next
            } else {
                let text = String(part)
                next = place.literal(text) ?? Place()
                if place.literal(text) == nil { place.literals.append((text, next)) }
            }
            place = next
        }
        precondition(!place.targets.contains { $0.method == method }, "\(method) \(pattern) has two targets")
        place.targets.append((method, target))
    }

    /// Finds the target of a method and of the parts of a path.
    public func match(_ method: String, _ segments: [String]) -> Match {
        var names: [String] = []
        guard let place = find(segments, 0, root, &names) else { return .none }
        if let found = place.targets.first(where: { $0.method == method }) { return .found(found.target, names) }
        return .otherMethods(place.targets.map(\.method).sorted())
    }

    /// A literal goes before a name; where it leads nowhere, the name is tried.
    private func find(_ segments: [String], _ at: Int, _ place: Place, _ names: inout [String]) -> Place? {
        guard at < segments.count else { return place.targets.isEmpty ? nil : place }
        if let next = place.literal(segments[at]), let found = find(segments, at + 1, next, &names) { return found }
        guard let next = place.name, !segments[at].isEmpty else { return nil }
        names.append(segments[at])
        if let found = find(segments, at + 1, next, &names) { return found }
        names.removeLast()
        return nil
    }
}
