/// Chunks of bytes that wait to be sent. Chunks are shared, not copied, and let go as they are taken.
struct ByteQueue {
    private var chunks: [[UInt8]] = []
    private var first = 0
    private var offset = 0
    private(set) var count = 0

    mutating func append(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        chunks.append(chunk)
        count += chunk.count
    }

    mutating func removeAll() { self = ByteQueue() }

    /// Offers the first bytes to a function and removes as many as it has taken; returns what it returned.
    mutating func send(_ body: (UnsafeRawBufferPointer) -> Int) -> Int {
        guard first < chunks.count else { return 0 }
        let sent = chunks[first].withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
        if sent > 0 { advance(sent) }
        return sent
    }

    /// Lets go of bytes of the first chunk.
    private mutating func advance(_ amount: Int) {
        count -= amount
        offset += amount
        guard offset == chunks[first].count else { return }
        chunks[first] = []
        first += 1
        offset = 0
        if first == chunks.count {
            chunks.removeAll(keepingCapacity: chunks.count < 64)
            first = 0
        } else if first > 1024, first > chunks.count / 2 {
            chunks.removeFirst(first)
            first = 0
        }
    }

    /// Moves bytes to a buffer, as many as are there and fit.
    mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var taken = 0
        while taken < buffer.count, first < chunks.count {
            let amount = min(chunks[first].count - offset, buffer.count - taken)
            chunks[first].withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: buffer[taken...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + amount]))
            }
            taken += amount
            advance(amount)
        }
        return taken
    }
}
