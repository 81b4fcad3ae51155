import Values

/// Any bytes as JSON: refused, or a tree that is written and read back as the same tree.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    var diagnostics = Diagnostics()
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    guard let node = JSONReader.read(input, file: "fuzz", diagnostics: &diagnostics) else {
        precondition(!diagnostics.isEmpty, "what is refused has a reason")
        return 0
    }
    guard diagnostics.isEmpty else { return 0 }
    let text = JSONWriter.text(node)
    precondition(JSONReader.read(text) == node, "\(text) is read as another tree")
    return 0
}
