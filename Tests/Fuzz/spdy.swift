import HTTP

/// Any bytes as what a client says over SPDY: read to their end or refused, and never more than was sent.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    guard count > 1 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: bytes + 1, count: count - 1))
    let piece = Int(bytes[0] % 32) + 1
    let session = SPDYSession()
    var told = 0
    do throws(SPDYSession.Problem) {
        for start in stride(from: 0, to: input.count, by: piece) {
            var reply: [UInt8] = []
            let events = try session.receive(Array(input[start..<min(start + piece, input.count)]), reply: &reply)
            for event in events {
                switch event {
                case .data(let stream, let bytes, let isLast):
                    told += bytes.count
                    precondition(session.data(bytes, on: stream, isLast: isLast).count >= bytes.count + 8)
                case .opened, .reset, .goAway: continue
                }
            }
        }
    } catch {}
    precondition(told <= input.count)
    return 0
}
