import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    /// The journal of events, from a position on: lines of JSON, Server-Sent Events, or messages of WebSocket.
    func eventLog(_ call: Call) {
        follow(call, whileItGrows: call.parameters.has(Query.follow), isSent: call.accepted.names("text/event-stream"))
    }

    /// The same as a stream of its own, which goes on: Server-Sent Events unless WebSocket is asked for.
    func eventStream(_ call: Call) { follow(call, whileItGrows: true, isSent: true) }

    private func follow(_ call: Call, whileItGrows follows: Bool, isSent: Bool) {
        var position = call.parameters[Query.sincePosition] ?? 0
        // A client of Server-Sent Events that has lost its connection says where it was.
        if let text = call.exchange.header("Last-Event-ID"), !text.isEmpty {
            guard let last = WholeNumber.read(text, in: 0...Int64.max) else {
                return call.fail(.badRequest("Last-Event-ID: expected a position, found \"\(text.prefix(64))\""))
            }
            position = last
        }
        var place = EventFollower.Place.after(position: position)
        if let name = call.parameters[Query.consumer], let consumer = loop.engine.state.consumers[name] {
            if consumer.isExpired { return call.fail(Failure(.expired(consumer))) }
            place = .at(offset: consumer.journalOffset)
        }
        let form: EventFollower.Form = WebSocketHandshake.isAsked(by: call.exchange) ? .line : isSent ? .sent : .line
        let follower = EventFollower(
            server: self, call: call, place: place, afterPosition: position, follows: follows, form: form)
        let id = follower.number
        followers[id] = follower
        call.exchange.onClose = { [weak self] in self?.followers[id] = nil }
        guard call.startStream(form.type) else { return }
        follower.begin()
    }
}

/// One client's reading of the event journal. Pulled, as logs are.
final class EventFollower {
    /// Where reading goes on.
    enum Place: Sendable {
        case after(position: Int64)
        case at(offset: Int64)
    }

    /// Some events that follow, and whether they were all that is there now.
    struct Piece: Sendable {
        var offset: Int64
        var events: [[UInt8]]
        var isAtEnd: Bool
    }

    /// How an event is written.
    enum Form: Sendable {
        /// `{"offset": N, "event": {…}}` and a line's end.
        case line
        /// As a Server-Sent Event, whose id is its position (HTML, section 9.2).
        case sent

        var type: String {
            switch self {
            case .line: "application/x-ndjson"
            case .sent: "text/event-stream"
            }
        }

        func bytes(_ event: EventLine) -> [UInt8] {
            switch self {
            case .line: Array("{\"offset\":\(event.nextOffset),\"event\":\(event.text)}\n".utf8)
            case .sent: Array("id: \(event.position)\ndata: \(event.text)\n\n".utf8)
            }
        }
    }

    let number: Int
    private unowned let server: Server
    private let exchange: Exchange
    private var place: Place
    private let afterPosition: Int64
    private let follows: Bool
    private let namespace: String?
    private let form: Form
    private var isReading = false
    /// Events were published since the reading began that is under way.
    private var isBehind = false

    private static let unreadBytesMax = 512 << 10
    private static let eventsAtOnceMax = 1000
    /// A connection of which nothing is heard is closed by those between; a comment is heard.
    private static let silenceMs: Int64 = 15_000

    init(
        server: Server, call: Call, place: Place, afterPosition: Int64, follows: Bool, form: Form
    ) {
        self.follows = follows
        self.form = form
        self.server = server
        number = server.nextStream()
        self.place = place
        self.afterPosition = afterPosition
        exchange = call.exchange
        namespace = call.parameters[Query.namespace]
        exchange.onDrain = { [unowned self] in pump() }
    }

    func begin() {
        if form == .sent { breakSilence() }
        pump()
    }

    private func breakSilence() {
        server.loop.events.after(ms: Self.silenceMs) { [weak self] in
            guard let self, server.followers[number] != nil else { return }
            if exchange.queuedBytes == 0 { exchange.write(Array(": still here\n\n".utf8)) }
            breakSilence()
        }
    }

    /// Sends what there is.
    func pump() {
        isBehind = isReading
        guard !isReading, exchange.queuedBytes < Self.unreadBytesMax else { return }
        isReading = true
        let (id, log, results) = (number, server.eventLog, server.eventPieces)
        server.files.run { [place, afterPosition, namespace, form] in
            results.send((id, Self.read(log, place, afterPosition, namespace, form)))
        }
    }

    private static func read(
        _ log: any EventLog, _ place: Place, _ afterPosition: Int64, _ namespace: String?, _ form: Form
    ) -> Piece {
        let offset =
            switch place {
            case .at(let offset): offset
            case .after(let position): position > 0 ? log.offset(afterPosition: position) : 0
            }
        let lines = log.read(from: offset, limit: eventsAtOnceMax)
        var piece = Piece(offset: lines.last?.nextOffset ?? offset, events: [], isAtEnd: lines.isEmpty)
        for event in lines where event.position > afterPosition {
            if let namespace, JSONReader.read(event.text)?["tenant_id"]?.string != namespace { continue }
            piece.events.append(form.bytes(event))
        }
        return piece
    }

    func take(_ piece: Piece) {
        isReading = false
        place = .at(offset: piece.offset)
        for event in piece.events { exchange.write(event) }
        if !piece.isAtEnd || isBehind { return pump() }
        if !follows { exchange.end() }
    }
}
