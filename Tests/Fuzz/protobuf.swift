import GRPC

/// Any bytes as a protobuf message: taken apart or refused, also its fields as messages.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    guard let message = try? ProtoMessage(UnsafeBufferPointer(start: bytes, count: count)) else { return 0 }
    for field in 1...8 {
        precondition(message.bytes(field).count <= count && message.string(field).utf8.count <= 3 * count)
        _ = message.number(field)
        _ = message.map(field)
        _ = message.milliseconds(field)
        for inner in (try? message.messages(field)) ?? [] { precondition(inner.bytes(1).count <= count) }
    }
    return 0
}
