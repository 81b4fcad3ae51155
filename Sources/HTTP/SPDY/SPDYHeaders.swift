import CZ

/// Reads the header blocks of one direction of a SPDY connection: they are one compressed stream.
///
/// Guarantee: no bytes trap; no block grows beyond its limit.
final class SPDYHeaderReader {
    private let stream: UnsafeMutablePointer<z_stream>
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        precondition(agentos_inflate_begin(stream) == Z_OK, "no memory for a decompressor")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// The names and values of a block; nil when it is none.
    func read(_ block: [UInt8]) -> [(name: String, value: String)]? { inflate(block).flatMap(Self.pairs) }

    private func inflate(_ block: [UInt8]) -> [UInt8]? {
        var block = block
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        return block.withUnsafeMutableBufferPointer { input -> [UInt8]? in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            while true {
                let (result, count) = chunk.withUnsafeMutableBufferPointer { output in
                    stream.pointee.next_out = output.baseAddress
                    stream.pointee.avail_out = UInt32(output.count)
                    let result = CZ.inflate(stream, Z_SYNC_FLUSH)
                    return (result, output.count - Int(stream.pointee.avail_out))
                }
                out += chunk[..<count]
                if out.count > bytesMax { return nil }
                if result == Z_NEED_DICT {
                    guard inflateSetDictionary(stream, SPDYDictionary.bytes, UInt32(SPDYDictionary.bytes.count)) == Z_OK
                    else { return nil }
                    continue
                }
                // Nothing more can be done: all was read, and all of it is out.
                if result == Z_BUF_ERROR, stream.pointee.avail_in == 0 { return out }
                guard result == Z_OK else { return nil }
                if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return out }
            }
        }
    }

    private static func pairs(_ bytes: [UInt8]) -> [(name: String, value: String)]? {
        var rest = bytes[...]
        func number() -> Int? {
            guard rest.count >= 4 else { return nil }
            defer { rest = rest.dropFirst(4) }
            return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        func text() -> String? {
            guard let count = number(), count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return String(validating: rest.prefix(count), as: UTF8.self)
        }
        guard let count = number(), count <= 64 else { return nil }
        var pairs: [(String, String)] = []
        for _ in 0..<count {
            guard let name = text(), let value = text() else { return nil }
            pairs.append((name, value))
        }
        return rest.isEmpty ? pairs : nil
    }
}

/// Writes the header blocks of one direction.
final class SPDYHeaderWriter {
    private let stream: UnsafeMutablePointer<z_stream>

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let dictionary = SPDYDictionary.bytes
        precondition(
            agentos_deflate_begin(stream) == Z_OK
                && deflateSetDictionary(stream, dictionary, UInt32(dictionary.count)) == Z_OK,
            "no memory for a compressor")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func write(_ pairs: [(name: String, value: String)]) -> [UInt8] {
        func number(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(count >> (24 - 8 * $0) & 255) } }
        var block = number(pairs.count)
        for (name, value) in pairs {
            block += number(name.utf8.count) + name.utf8 + number(value.utf8.count) + value.utf8
        }
        // What zlib says is the most that it may need, and its marks of a flush.
        var out = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(block.count))) + 64)
        let count = block.withUnsafeMutableBufferPointer { input in
            out.withUnsafeMutableBufferPointer { output in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                deflate(stream, Z_SYNC_FLUSH)
                return output.count - Int(stream.pointee.avail_out)
            }
        }
        return Array(out[..<count])
    }
}
