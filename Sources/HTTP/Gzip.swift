import CZ

/// Compresses an answer as its client takes it (RFC 1952): what is compressed already is never more than one piece, and
/// nobody else waits longer than one piece takes.
final class Gzip {
    private let stream: UnsafeMutablePointer<z_stream>
    private var isOver = false

    /// Of what is compressed at once.
    private static let pieceBytes = 65_536
    private static let inputBytesMax = 4 * pieceBytes

    /// Nil: there is no memory for it.
    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard agentos_gzip_begin(stream) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Moves what the bytes of a queue become into a buffer; 0 when that is all.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, from queue: inout ByteQueue) -> Int {
        stream.pointee.next_out = buffer.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: buffer.count)
        let room = stream.pointee.avail_out
        var taken = 0
        while stream.pointee.avail_out > 0, !isOver {
            if queue.count == 0 {
                isOver = deflate(stream, Z_FINISH) == Z_STREAM_END
                continue
            }
            // It may keep much before it gives anything.
            if taken >= Self.inputBytesMax, stream.pointee.avail_out < room { break }
            taken += queue.send { compress(UnsafeRawBufferPointer(rebasing: $0.prefix(Self.pieceBytes))) }
        }
        return Int(room - stream.pointee.avail_out)
    }

    /// How many of the bytes were taken.
    private func compress(_ bytes: UnsafeRawBufferPointer) -> Int {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(bytes.count)
        deflate(stream, Z_NO_FLUSH)
        return bytes.count - Int(stream.pointee.avail_in)
    }
}
