import Values

/// Why the text of what would be stored could not be read again, or not with what is around it.
enum StoredProblem: Equatable {
    case doubleKey(String)
    case depth
    case nodes
    case bytes
    case owned

    var words: String {
        switch self {
        case .doubleKey(let key): "the key \"\(key.prefix(64))\" stands twice in one map"
        case .depth: "the object is nested deeper than \(Limits.objectDepthMax) levels"
        case .nodes: "the object has more than \(Limits.objectNodesMax) values"
        case .bytes: "the object is larger than \(Limits.objectBytesMax >> 20) MiB"
        case .owned: "the managers of the object own more than \(Limits.ownedFieldsMax) fields together"
        }
    }

    var reason: Refusal.Cause.Reason {
        switch self {
        case .doubleKey: .duplicate
        case .depth, .nodes, .bytes, .owned: .tooLong
        }
    }
}

extension Node {
    /// What stands against storing a content; nil when nothing does.
    var storedProblem: StoredProblem? {
        let extent = Extent(self)
        if let key = extent.doubleKey { return .doubleKey(key) }
        if extent.depth > Limits.objectDepthMax { return .depth }
        if extent.count > Limits.objectNodesMax { return .nodes }
        // A byte is written as six at most, and beside its texts a value takes less than 32.
        if 6 * extent.textBytes + 32 * extent.count <= Limits.objectBytesMax { return nil }
        return JSONWriter.bytes(self).count > Limits.objectBytesMax ? .bytes : nil
    }
}

extension [FieldManager] {
    /// What stands against storing the managers of an object; nil when nothing does.
    var storedProblem: StoredProblem? {
        var left = Limits.ownedFieldsMax
        for manager in self {
            let (count, depth) = manager.fields.extent
            if depth > Limits.objectDepthMax { return .depth }
            if count > left { return .owned }
            left -= count
        }
        return nil
    }
}
