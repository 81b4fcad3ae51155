import HTTP

/// Any bytes as what a client says over WebSocket, whole and in pieces: the same messages, and never more than was sent.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    guard count > 1 else { return 0 }
    // The first byte is the size of the pieces.
    let input = Array(UnsafeBufferPointer(start: bytes + 1, count: count - 1))
    let piece = Int(bytes[0] % 16) + 1
    var (whole, parts) = (WebSocketSession(messageBytesMax: 2048), WebSocketSession(messageBytesMax: 2048))
    let first = whole.receive(input)
    let told = first.parts.flatMap(\.bytes)
    precondition(told.count <= input.count && first.reply.count <= 3 * input.count + 200)
    var (again, isOver): ([UInt8], Bool) = ([], false)
    for start in stride(from: 0, to: input.count, by: piece) where !isOver {
        let received = parts.receive(Array(input[start..<min(start + piece, input.count)]))
        again += received.parts.flatMap(\.bytes)
        isOver = received.isOver
    }
    precondition(isOver == first.isOver, "pieces end otherwise than the whole")
    // What stands before a mistake is told in either case; in pieces more of it may come before the mistake is seen.
    precondition(isOver || told == again, "pieces say something else than the whole")
    return 0
}
