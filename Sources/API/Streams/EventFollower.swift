import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    func eventLog(_ call: Call) {
        let position = call.parameters[Query.sincePosition] ?? 0
        var place = EventFollower.Place.after(position: position)
        if let name = call.parameters[Query.consumer], let consumer = loop.engine.state.consumers[name] {
            if consumer.isExpired { return call.fail(Failure(.expired(consumer))) }
            place = .at(offset: consumer.journalOffset)
        }
        let follower = EventFollower(server: self, call: call, place: place, afterPosition: position)
        let id = follower.number
        followers[id] = follower
        call.exchange.onClose = { [weak self] in self?.followers[id] = nil }
        call.startStream("application/x-ndjson")
        follower.pump()
    }
}

/// One client's reading of the event journal. Pulled, as logs are.
final class EventFollower {
    /// Where reading goes on.
    enum Place: Sendable {
        case after(position: Int64)
        case at(offset: Int64)
    }

    /// Some events that follow, as lines, and whether they were all that is there now.
    struct Piece: Sendable {
        var offset: Int64
        var bytes: [UInt8]
        var isAtEnd: Bool
    }

    let number: Int
    private unowned let server: Server
    private let exchange: Exchange
    private var place: Place
    private let afterPosition: Int64
    private let follows: Bool
    private let namespace: String?
    private var isReading = false
    /// Events were published since the reading began that is under way.
    private var isBehind = false

    private static let unreadBytesMax = 512 << 10
    private static let eventsAtOnceMax = 1000

    init(server: Server, call: Call, place: Place, afterPosition: Int64) {
        self.server = server
        number = server.nextStream()
        self.place = place
        self.afterPosition = afterPosition
        exchange = call.exchange
        follows = call.parameters.has(Query.follow)
        namespace = call.parameters[Query.namespace]
        exchange.onDrain = { [unowned self] in pump() }
    }

    /// Sends what there is, as `{"offset": N, "event": {…}}` lines.
    func pump() {
        isBehind = isReading
        guard !isReading, exchange.queuedBytes < Self.unreadBytesMax else { return }
        isReading = true
        let (id, log, results) = (number, server.eventLog, server.eventPieces)
        server.files.run { [place, afterPosition, namespace] in
            results.send((id, Self.read(log, place, afterPosition, namespace)))
        }
    }

    private static func read(
        _ log: any EventLog, _ place: Place, _ afterPosition: Int64, _ namespace: String?
    ) -> Piece {
        let offset =
            switch place {
            case .at(let offset): offset
            case .after(let position): position > 0 ? log.offset(afterPosition: position) : 0
            }
        let lines = log.read(from: offset, limit: eventsAtOnceMax)
        var piece = Piece(offset: lines.last?.nextOffset ?? offset, bytes: [], isAtEnd: lines.isEmpty)
        for event in lines where event.position > afterPosition {
            if let namespace, JSONReader.read(event.text)?["tenant_id"]?.string != namespace { continue }
            piece.bytes += "{\"offset\":\(event.nextOffset),\"event\":\(event.text)}\n".utf8
        }
        return piece
    }

    func take(_ piece: Piece) {
        isReading = false
        place = .at(offset: piece.offset)
        exchange.write(piece.bytes)
        if !piece.isAtEnd || isBehind { return pump() }
        if !follows { exchange.end() }
    }
}
