import Values

/// Encodes one protobuf message; fields with their default value are left out, as proto3 does.
///
/// Source: the protobuf encoding specification. Only what containerd's API uses: varints and length-delimited fields.
package struct ProtoWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func put(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        varint(UInt64(field) << 3)
        varint(value)
    }

    package mutating func put(_ field: Int, _ value: Bool) { put(field, value ? 1 as UInt64 : 0) }

    package mutating func put(_ field: Int, _ value: some Collection<UInt8>) {
        guard !value.isEmpty else { return }
        putAlways(field, value)
    }

    package mutating func put(_ field: Int, _ value: String) { put(field, Array(value.utf8)) }

    /// Members of a list and messages are there even when they are empty.
    package mutating func putAlways(_ field: Int, _ value: some Collection<UInt8>) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func put(_ field: Int, message: (inout ProtoWriter) -> Void) {
        var inner = ProtoWriter()
        message(&inner)
        putAlways(field, inner.bytes)
    }

    package mutating func put(_ field: Int, map: [String: String]) {
        for (key, value) in map.sorted(by: { $0.key < $1.key }) {
            put(field) {
                $0.put(1, key)
                $0.put(2, value)
            }
        }
    }
}

/// A decoded protobuf message: its fields in the order in which they came; unknown ones are kept and ignored.
package struct ProtoMessage: Sendable {
    package enum Value: Sendable {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    /// The bytes are no protobuf message; `offset` is where that was seen.
    package struct Malformed: Error {
        package var offset: Int

        package init(offset: Int) { self.offset = offset }
    }

    private var fields: [(number: Int, value: Value)] = []

    package init() {}

    package init(_ bytes: some Collection<UInt8>) throws(Malformed) {
        let bytes = Array(bytes)[...]
        var at = bytes.startIndex
        func varint() throws(Malformed) -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 70, by: 7) {
                guard at < bytes.endIndex else { throw Malformed(offset: at) }
                let byte = bytes[at]
                at += 1
                if shift == 63, byte > 1 { throw Malformed(offset: at) }
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
            }
            throw Malformed(offset: at)
        }
        func take(_ count: UInt64) throws(Malformed) -> ArraySlice<UInt8> {
            guard count <= UInt64(bytes.endIndex - at) else { throw Malformed(offset: at) }
            defer { at += Int(count) }
            return bytes[at..<at + Int(count)]
        }
        while at < bytes.endIndex {
            let tag = try varint()
            guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw Malformed(offset: at) }
            let number = Int(tag >> 3)
            switch tag & 7 {
            case 0: fields.append((number, .number(try varint())))
            case 1: fields.append((number, .number(Self.littleEndian(try take(8)))))
            case 2: fields.append((number, .bytes(try take(try varint()))))
            case 5: fields.append((number, .number(Self.littleEndian(try take(4)))))
            default: throw Malformed(offset: at)
            }
        }
    }

    /// The numbers of the fields that are there, in their order.
    package var numbers: [Int] { Set(fields.map(\.number)).sorted() }

    private static func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    // The last one wins, as the specification asks.

    package func number(_ field: Int) -> UInt64 {
        for (number, value) in fields.reversed() where number == field {
            if case .number(let number) = value { return number }
        }
        return 0
    }

    package func bytes(_ field: Int) -> ArraySlice<UInt8> { all(field).last ?? [] }

    package func string(_ field: Int) -> String { String(decoding: bytes(field), as: UTF8.self) }

    /// An empty message when it is not there or malformed.
    package func message(_ field: Int) -> ProtoMessage { (try? ProtoMessage(bytes(field))) ?? ProtoMessage() }

    package func all(_ field: Int) -> [ArraySlice<UInt8>] {
        fields.compactMap {
            if $0.number == field, case .bytes(let bytes) = $0.value { bytes } else { nil }
        }
    }

    package func messages(_ field: Int) throws(Malformed) -> [ProtoMessage] {
        var result: [ProtoMessage] = []
        for bytes in all(field) { result.append(try ProtoMessage(bytes)) }
        return result
    }

    package func map(_ field: Int) -> [String: String] {
        var result: [String: String] = [:]
        for bytes in all(field) {
            if let entry = try? ProtoMessage(bytes) { result[entry.string(1)] = entry.string(2) }
        }
        return result
    }

    /// `google.protobuf.Timestamp`, in milliseconds since 1970.
    package func milliseconds(_ field: Int) -> Int64 {
        let time = message(field)
        let seconds = Int64(bitPattern: time.number(1))
        guard seconds > 0, seconds < 1 << 40 else { return 0 }
        return seconds * 1000 + Int64(clamping: time.number(2)) / 1_000_000
    }
}
