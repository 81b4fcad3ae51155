/// The server's side of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00), as far as clients of Kubernetes before 1.30 use it:
/// streams that the client opens, data both ways, pings. Does no input or output.
///
/// Guarantee: no bytes trap; what is kept of them has a limit. Windows are not kept, as these clients keep none: the
/// connection below carries back-pressure.
public final class SPDYSession {
    /// What came.
    public enum Event: Sendable, Equatable {
        /// The client has opened a stream, with headers that say what it is; `type` is one of them.
        case opened(stream: UInt32, type: String, headers: [Header])
        case data(stream: UInt32, [UInt8], isLast: Bool)
        /// The client takes and sends nothing more on this stream.
        case reset(stream: UInt32)
        /// The client ends the connection.
        case goAway
    }

    /// One header of a stream.
    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String
    }

    /// Why a connection is ended.
    public struct Problem: Error, Sendable, Equatable {
        public let message: String
    }

    private enum Kind {
        static let opening: UInt16 = 1
        static let reply: UInt16 = 2
        static let reset: UInt16 = 3
        static let ping: UInt16 = 6
        static let goAway: UInt16 = 7
        static let headers: UInt16 = 8
    }

    private struct Data {
        var stream: UInt32
        var isLast: Bool
        var left: Int
    }

    private static let controlBytesMax = 65_536
    private static let headerBytesMax = 65_536
    private let streamsMax: Int

    private let reader = SPDYHeaderReader(bytesMax: headerBytesMax)
    private let writer = SPDYHeaderWriter()
    /// A frame's head, and a control frame's body, until it is whole.
    private var pending: [UInt8] = []
    private var data: Data?
    /// With whether the client, and we, have ended our side; those that both have ended are gone.
    private var streams: [UInt32: (theirs: Bool, ours: Bool)] = [:]
    private var lastStream: UInt32 = 0
    private var lastPing: UInt32 = 0

    /// - Parameter streamsMax: that are open at a time.
    public init(streamsMax: Int = 16) { self.streamsMax = streamsMax }

    /// Reads more bytes; `reply` is to be sent at once.
    public func receive(_ bytes: [UInt8], reply: inout [UInt8]) throws(Problem) -> [Event] {
        var events: [Event] = []
        var rest = bytes[...]
        while !rest.isEmpty || data?.left == 0 {
            if let current = data {
                let payload = Array(rest.prefix(current.left))
                rest = rest.dropFirst(payload.count)
                let left = current.left - payload.count
                data = left == 0 ? nil : Data(stream: current.stream, isLast: current.isLast, left: left)
                let isLast = left == 0 && current.isLast
                if streams[current.stream]?.theirs == false, !payload.isEmpty || isLast {
                    events.append(.data(stream: current.stream, payload, isLast: isLast))
                    if isLast { end(current.stream, theirs: true) }
                }
                continue
            }
            guard let frame = try nextFrame(&rest) else { break }
            events += try take(frame, &reply)
        }
        return events
    }

    /// A control frame that is whole; data frames are begun.
    private func nextFrame(_ rest: inout ArraySlice<UInt8>) throws(Problem) -> [UInt8]? {
        func fill(_ count: Int) -> Bool {
            let missing = rest.prefix(max(0, count - pending.count))
            pending += missing
            rest = rest.dropFirst(missing.count)
            return pending.count >= count
        }
        guard fill(8) else { return nil }
        let length = Int(pending[5]) << 16 | Int(pending[6]) << 8 | Int(pending[7])
        if pending[0] & 0x80 == 0 {
            data = Data(stream: Self.number(pending[0..<4]), isLast: pending[4] & 1 != 0, left: length)
            pending = []
            return []
        }
        guard length <= Self.controlBytesMax else { throw Problem(message: "a control frame is too long") }
        guard fill(8 + length) else { return nil }
        defer { pending = [] }
        return pending
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    }

    private func take(_ frame: [UInt8], _ reply: inout [UInt8]) throws(Problem) -> [Event] {
        if frame.isEmpty { return [] }
        guard frame[0] == 0x80, frame[1] == 3 else { throw Problem(message: "the version of SPDY is not 3") }
        let kind = UInt16(frame[2]) << 8 | UInt16(frame[3])
        let body = frame[8...]
        let stream = Self.number(body)
        func needs(_ count: Int) throws(Problem) {
            if body.count < count { throw Problem(message: "a frame of kind \(kind) is too short") }
        }
        switch kind {
        case Kind.opening:
            try needs(10)
            return try open(stream, block: Array(body.dropFirst(10)), isLast: frame[4] & 1 != 0, &reply)
        case Kind.reply, Kind.headers:
            try needs(4)
            // They say nothing of interest, and are a part of the compressed stream.
            if reader.read(Array(body.dropFirst(4))) == nil { throw Problem(message: "a header cannot be read") }
            return []
        case Kind.reset:
            try needs(8)
            return streams.removeValue(forKey: stream) == nil ? [] : [.reset(stream: stream)]
        case Kind.ping:
            try needs(4)
            // Those with even numbers answer ours.
            if stream % 2 == 1 { reply += frame }
            return []
        case Kind.goAway: return [.goAway]
        default: return []
        }
    }

    private func open(
        _ stream: UInt32, block: [UInt8], isLast: Bool, _ reply: inout [UInt8]
    ) throws(Problem) -> [Event] {
        guard stream % 2 == 1, stream > lastStream else { throw Problem(message: "stream \(stream) cannot be opened") }
        guard streams.count < streamsMax else { throw Problem(message: "too many streams") }
        guard let headers = reader.read(block) else { throw Problem(message: "a header cannot be read") }
        lastStream = stream
        streams[stream] = (theirs: false, ours: false)
        reply += Self.control(Kind.reply, Self.bytes(stream) + writer.write([]))
        let type = headers.first { $0.name.lowercased() == "streamtype" }?.value ?? ""
        let opened = Event.opened(
            stream: stream, type: type, headers: headers.map { Header(name: $0.name.lowercased(), value: $0.value) })
        guard isLast else { return [opened] }
        // The client may end its side at once: nothing comes on this stream.
        end(stream, theirs: true)
        return [opened, .data(stream: stream, [], isLast: true)]
    }

    private func end(_ stream: UInt32, theirs: Bool) {
        guard var sides = streams[stream] else { return }
        if theirs { sides.theirs = true } else { sides.ours = true }
        streams[stream] = sides.theirs && sides.ours ? nil : sides
    }

    // MARK: To the client

    /// Data of a stream; `isLast`: nothing follows on it.
    public func data(_ bytes: [UInt8], on stream: UInt32, isLast: Bool = false) -> [UInt8] {
        guard streams[stream]?.ours == false else { return [] }
        if isLast { end(stream, theirs: false) }
        var out: [UInt8] = []
        var rest = bytes[...]
        repeat {
            let part = rest.prefix(Self.dataBytesMax)
            rest = rest.dropFirst(part.count)
            out += Self.bytes(stream) + [isLast && rest.isEmpty ? 1 : 0] + Self.bytes(UInt32(part.count))[1...]
            out += part
        } while !rest.isEmpty
        return out
    }

    /// Asks the client whether it is there.
    public func ping() -> [UInt8] {
        lastPing = lastPing < 1 << 30 ? lastPing + 2 : 2
        return Self.control(Kind.ping, Self.bytes(lastPing))
    }

    private static let dataBytesMax = 1 << 20

    private static func control(_ kind: UInt16, _ body: [UInt8]) -> [UInt8] {
        [0x80, 3, UInt8(kind >> 8), UInt8(kind & 255), 0] + bytes(UInt32(body.count))[1...] + body
    }

    private static func bytes(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(number >> (24 - 8 * $0) & 255) } }
}
