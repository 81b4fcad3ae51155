import Values

/// Any bytes as YAML: refused, or trees that are written and read back as the same trees.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    var diagnostics = Diagnostics()
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    for node in YAMLReader.read(input, file: "fuzz", diagnostics: &diagnostics) where diagnostics.isEmpty {
        var second = Diagnostics()
        let text = YAMLWriter.text(node)
        let again = YAMLReader.read(Array(text.utf8), file: "again", diagnostics: &second)
        precondition(again == [node], "\(text) is read as other trees")
    }
    return 0
}
