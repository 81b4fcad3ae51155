public import Values

/// Steps that change a document (RFC 6902).
///
/// Guarantee: applying ends, and costs no more than the document, the patch and `Limits.patchCostMax` together; what
/// comes of it is nested no deeper than `Limits.depthMax`, and larger than both by no more than
/// `Limits.patchCopiedBytesMax`.
public struct JSONPatch: Sendable, Equatable {
    fileprivate enum Action: Sendable, Equatable {
        case add(Node)
        case remove
        case replace(Node)
        case move(from: JSONPointer)
        case copy(from: JSONPointer)
        case test(Node)
    }

    fileprivate struct Step: Sendable, Equatable {
        var action: Action
        var path: JSONPointer
    }

    private let steps: [Step]

    /// Reads the list of steps.
    public init(_ node: Node) throws(PatchProblem) {
        guard let items = node.list else { throw .malformed(.notAList) }
        guard items.count <= Limits.patchStepsMax else { throw .malformed(.tooManySteps) }
        var steps: [Step] = []
        for (index, item) in items.enumerated() {
            func wrong(_ why: String) -> PatchProblem { .malformed(.step(index, why)) }
            func pointer(_ name: String) throws(PatchProblem) -> JSONPointer {
                guard let text = item[name]?.string else { throw wrong("\"\(name)\" is missing") }
                guard let pointer = JSONPointer(text) else { throw wrong("\"\(name)\" is no JSON pointer") }
                guard pointer.names.count <= Limits.depthMax else {
                    throw wrong("\"\(name)\" goes deeper than \(Limits.depthMax) levels")
                }
                return pointer
            }
            func value() throws(PatchProblem) -> Node {
                guard let value = item["value"] else { throw wrong("\"value\" is missing") }
                return value
            }
            let action: Action =
                switch item["op"]?.string {
                case "add": .add(try value())
                case "remove": .remove
                case "replace": .replace(try value())
                case "move": .move(from: try pointer("from"))
                case "copy": .copy(from: try pointer("from"))
                case "test": .test(try value())
                default: throw wrong("\"op\" is none of add, remove, replace, move, copy, test")
                }
            steps.append(Step(action: action, path: try pointer("path")))
        }
        self.steps = steps
    }

    /// Whether some step looks at, or around, `metadata.managedFields`.
    var readsManagers: Bool {
        func reads(_ pointer: JSONPointer) -> Bool {
            zip(pointer.names, ["metadata", "managedFields"]).allSatisfy { $0 == $1 }
        }
        return steps.contains { step in
            switch step.action {
            case .move(let from), .copy(let from): reads(from) || reads(step.path)
            case .add, .remove, .replace, .test: reads(step.path)
            }
        }
    }

    /// The document after all steps; throws at the first that does not apply.
    public func applied(to node: Node) throws(PatchProblem) -> Node {
        let document = PatchedDocument(node)
        for (index, step) in steps.enumerated() {
            do throws(PatchedDocument.Problem) {
                try document.take(step)
            } catch {
                switch error {
                case .unfitting(let why): throw .unfitting(step: index, why)
                case .tooCostly: throw .tooCostly
                }
            }
        }
        return document.root.node
    }
}

/// A document while a patch is applied: maps whose entries are found by name at once, opened where a step goes.
private final class PatchedDocument {
    enum Problem: Error {
        case unfitting(PatchProblem.Unfitting)
        case tooCostly
    }

    private(set) var root: Place
    private var cost = 0
    private var copiedBytes = 0

    init(_ node: Node) { root = Place(node) }

    func take(_ step: JSONPatch.Step) throws(Problem) {
        switch step.action {
        case .add(let value): try add(value, Extent(value), step.path)
        case .remove: _ = try remove(step.path)
        case .replace(let value):
            try checkDepth(Extent(value), step.path)
            if step.path.names.isEmpty {
                root = Place(value)
            } else {
                try find(step.path).content = .node(value)
            }
        case .move(let from):
            if step.path.isInside(from) { throw .unfitting(.intoItself(from.text)) }
            if step.path == from {
                _ = try find(from)
            } else {
                let node = try remove(from).node
                try add(node, try pay(for: node), step.path)
            }
        case .copy(let from):
            let node = try find(from).node
            let extent = try pay(for: node)
            copiedBytes += extent.textBytes + extent.count
            if copiedBytes > Limits.patchCopiedBytesMax { throw .tooCostly }
            try add(node, extent, step.path)
        case .test(let value):
            let node = try find(step.path).node
            _ = try pay(for: node)
            if !node.isNumericallyEqual(value) { throw .unfitting(.test(step.path.text)) }
        }
    }

    /// What may be asked for again and again has a bound over all steps.
    private func pay(for node: Node) throws(Problem) -> Extent {
        let extent = Extent(node)
        try pay(1 + extent.count)
        return extent
    }

    private func pay(_ more: Int) throws(Problem) {
        cost += more
        if cost > Limits.patchCostMax { throw .tooCostly }
    }

    /// No step makes the document deeper than what is read.
    private func checkDepth(_ extent: Extent, _ path: JSONPointer) throws(Problem) {
        if path.names.count + extent.depth > Limits.depthMax { throw .unfitting(.depth(path.text)) }
    }

    /// Items that move up or down in a list are moved in blocks.
    private func pay(forMovingIn items: [Place]) throws(Problem) { try pay(items.count / 64) }

    private func find(_ path: JSONPointer) throws(Problem) -> Place { try find(path, path.names[...]) }

    private func find(_ path: JSONPointer, _ names: ArraySlice<String>) throws(Problem) -> Place {
        var place = root
        for name in names {
            place.open()
            switch place.content {
            case .map(let children, _):
                guard let next = children[name] else { throw .unfitting(.missing(path.text)) }
                place = next
            case .list(let items):
                guard let index = Place.index(name), index < items.count else { throw .unfitting(.index(path.text)) }
                place = items[index]
            case .node: throw .unfitting(.missing(path.text))
            }
        }
        return place
    }

    private func add(_ node: Node, _ extent: Extent, _ path: JSONPointer) throws(Problem) {
        try checkDepth(extent, path)
        let new = Place(node)
        guard let last = path.names.last else {
            root = new
            return
        }
        let parent = try find(path, path.names.dropLast())
        parent.open()
        switch parent.content {
        case .map(var children, var order):
            parent.content = .node(.emptyMap)  // one owner: nothing is copied
            if children.updateValue(new, forKey: last) == nil { order.append(last) }
            parent.content = .map(children, order)
        case .list(var items):
            guard let index = last == "-" ? items.count : Place.index(last), index <= items.count else {
                throw .unfitting(.index(path.text))
            }
            if index < items.count { try pay(forMovingIn: items) }
            parent.content = .node(.emptyMap)
            items.insert(new, at: index)
            parent.content = .list(items)
        case .node: throw .unfitting(.notAPlace(path.text))
        }
    }

    private func remove(_ path: JSONPointer) throws(Problem) -> Place {
        guard let last = path.names.last else { throw .unfitting(.notAPlace("")) }
        let parent = try find(path, path.names.dropLast())
        parent.open()
        switch parent.content {
        case .map(var children, let order):
            guard children[last] != nil else { throw .unfitting(.missing(path.text)) }
            parent.content = .node(.emptyMap)
            defer { parent.content = .map(children, order) }
            return children.removeValue(forKey: last) ?? Place(Node(.null))
        case .list(var items):
            guard let index = Place.index(last), index < items.count else { throw .unfitting(.index(path.text)) }
            if index < items.count - 1 { try pay(forMovingIn: items) }
            parent.content = .node(.emptyMap)
            defer { parent.content = .list(items) }
            return items.remove(at: index)
        case .node: throw .unfitting(.missing(path.text))
        }
    }
}

/// One value of a document while a patch is applied.
private final class Place {
    enum Content {
        case node(Node)
        /// Names that were removed stay in the order, and stand there again when they come back.
        case map([String: Place], [String])
        case list([Place])
    }

    var content: Content

    init(_ node: Node) { content = .node(node) }

    /// Makes what is below a place of its own.
    func open() {
        guard case .node(let node) = content else { return }
        if let map = node.map {
            let children = Dictionary(
                map.entries.map { ($0.key, Place($0.value)) }, uniquingKeysWith: { first, _ in first })
            content = .map(children, map.entries.map(\.key))
        } else if let items = node.list {
            content = .list(items.map(Place.init))
        }
    }

    var node: Node {
        switch content {
        case .node(let node): return node
        case .list(let items): return .list(items.map(\.node))
        case .map(var children, let order):
            return Node(
                .map(
                    NodeMap(
                        order.compactMap { key in
                            children.removeValue(forKey: key).map { NodeMap.Entry(key: key, value: $0.node) }
                        })))
        }
    }

    /// A number without leading zeros.
    static func index(_ name: String) -> Int? {
        guard name == "0" || (name.utf8.first.map { (0x31...0x39).contains($0) } ?? false), name.utf8.count < 10,
            name.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(name)
    }
}

extension Node {
    /// Equal as JSON has it: 1 and 1.0 are the same number.
    fileprivate func isNumericallyEqual(_ other: Node) -> Bool {
        switch (value, other.value) {
        case (.list(let a), .list(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { $0.isNumericallyEqual($1) }
        case (.map(let a), .map(let b)):
            guard a.entries.count == b.entries.count else { return false }
            let byKey = Dictionary(b.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            return a.entries.allSatisfy { entry in byKey[entry.key].map(entry.value.isNumericallyEqual) ?? false }
        case (.int, .double), (.double, .int): return double == other.double
        case (.null, _), (.bool, _), (.int, _), (.double, _), (.string, _), (.list, _), (.map, _): return self == other
        }
    }
}
