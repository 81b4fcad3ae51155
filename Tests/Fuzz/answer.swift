import HTTPClient

/// Any bytes as an answer of HTTP/1.1, whole and in pieces: the same content and the same end, and never more than came.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    guard count > 1 else { return 0 }
    // The first byte is the size of the pieces.
    let input = UnsafeRawBufferPointer(start: bytes + 1, count: count - 1)
    let (whole, parts) = (read(input, input.count), read(input, Int(bytes[0] % 16) + 1))
    precondition(whole == parts, "pieces say something else than the whole")
    precondition(whole.content.count <= input.count && whole.taken <= input.count)
    return 0
}

private struct Found: Equatable {
    var content: [UInt8] = []
    var taken = 0
    var isWhole = false
    var isRefused = false
}

private func read(_ input: UnsafeRawBufferPointer, _ piece: Int) -> Found {
    var reader = ResponseReader()
    var found = Found()
    do throws(ResponseProblem) {
        while found.taken < input.count, !reader.isComplete {
            let end = min(found.taken + piece, input.count)
            let part = UnsafeRawBufferPointer(rebasing: input[found.taken..<end])
            found.taken += try reader.read(part) {
                found.content += $1
                return true
            }
        }
        found.isWhole = reader.end()
    } catch {
        // How far it was read before the mistake was seen depends on the pieces.
        found = Found(isRefused: true)
    }
    return found
}
