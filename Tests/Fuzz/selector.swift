import Loop
import Resources
import Values

@testable import API

/// Any texts as selectors of labels and of fields, parted by a zero byte: refused, or a condition that holds or does not.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    let parts = UnsafeBufferPointer(start: bytes, count: count).split(separator: 0, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
    // A mark that joins the comma before it makes another letter of it.
    guard parts.allSatisfy({ $0.utf8.allSatisfy { $0 < 0x80 } }) else { return 0 }
    let labels = Node.map([("a", "b"), ("team", "x"), ("empty", "")])
    let object = Selectable(namespace: "default", name: "one", labels: labels, fields: [("status.phase", "Ready")])
    func read(_ labels: String?, _ fields: String?) -> Selector? {
        try? Selector(labels: labels, fields: fields, of: .pods)
    }
    let fields = parts.count > 1 ? parts[1] : ""
    if let both = read(parts[0], fields) {
        precondition(!both.isEmpty || both.matches(object), "what selects nothing out takes everything")
        let each = (read(parts[0], nil)?.matches(object), read(nil, fields)?.matches(object))
        precondition(both.matches(object) == (each.0 == true && each.1 == true), "both must hold")
        if let twice = read("\(parts[0]),\(parts[0])", fields) {
            precondition(twice.matches(object) == both.matches(object), "what is said twice is said once")
        }
    }
    return 0
}
