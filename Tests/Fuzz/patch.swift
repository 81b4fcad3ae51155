import Reconciler
import Values

/// A document and patches of it, parted by zero bytes, each in all forms that a patch has: refused, or a document that is
/// no larger than both allow and, where the form says so, stays the same when the patch comes again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    let parts = UnsafeBufferPointer(start: bytes, count: count).split(separator: 0)
    guard let document = parts.first.flatMap(read) else { return 0 }
    for patch in parts.dropFirst().compactMap(read) { apply(patch, to: document) }
    return 0
}

private func apply(_ patch: Node, to document: Node) {
    if let steps = try? JSONPatch(patch), let patched = try? steps.applied(to: document) {
        precondition(patched.count <= document.count + patch.count + Limits.patchCostMax)
        precondition(JSONReader.read(JSONWriter.text(patched)) == patched)
    }
    if let merge = try? MergePatch(patch) {
        let patched = merge.applied(to: document)
        precondition(patched.count <= document.count + patch.count)
        precondition(merge.applied(to: patched) == patched, "a merge that comes again changes nothing")
    }
    if let strategic = try? StrategicMerge(patch), let patched = try? strategic.applied(to: document) {
        precondition(patched.count <= document.count + patch.count)
        precondition((try? strategic.applied(to: patched)) != nil, "what could be merged can be merged again")
    }
}

private func read(_ bytes: some Collection<UInt8>) -> Node? {
    var diagnostics = Diagnostics()
    let node = JSONReader.read(Array(bytes), file: "fuzz", diagnostics: &diagnostics)
    return diagnostics.isEmpty ? node : nil
}

extension Node {
    /// How many values it holds, itself included.
    fileprivate var count: Int {
        switch value {
        case .null, .bool, .int, .double, .string: 1
        case .list(let items): items.reduce(1) { $0 + $1.count }
        case .map(let map): map.entries.reduce(1) { $0 + $1.value.count }
        }
    }
}
