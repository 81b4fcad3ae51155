import HTTP

/// Any bytes as the target of a request and the values of its query: taken apart or refused, decoded once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    do throws(TargetProblem) {
        let target = try RequestTarget(text)
        precondition(target.segments.allSatisfy { !$0.utf8.contains(0x2f) && !$0.utf8.contains(0) })
        precondition(target.query.allSatisfy { !$0.name.utf8.contains(0) && !$0.value.utf8.contains(0) })
        let allowed: [any AnyParameter] = [
            Parameter<Int64>.integer("n", -5...1000), Parameter<Bool>.flag("f"),
            Parameter<String>.text("t", bytesMax: 8),
            Parameter<String>.word("w", ["a", "b"]), Parameter<[String]>.list("l", countMax: 3, bytesMax: 4),
        ]
        if let read = try? Parameters(target.query, allowed: allowed) {
            let list = read[Parameter<[String]>.list("l", countMax: 3, bytesMax: 4)] ?? []
            precondition(list.count <= 3 && list.allSatisfy { $0.utf8.count <= 4 })
            precondition((read[Parameter<Int64>.integer("n", -5...1000)] ?? 0) <= 1000)
        }
    } catch {}
    return 0
}
