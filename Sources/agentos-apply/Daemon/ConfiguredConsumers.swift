import Loop
import Machine
import Messaging
import Reconciler
import Values

/// Durable consumers of streams whose acknowledgements count, as the settings name them: each is a consumer of the journal
/// with the name SINK.CONSUMER.
final class ConfiguredConsumers {
    private struct Watched {
        let settings: NATSSettings
        let acknowledgements: NATSAcknowledgements
        var isLooking = false
        var told: [String: String] = [:]
    }

    /// Where an acknowledgement leads to: a position, and an offset of the journal.
    private struct Place: Sendable {
        var position: Int64
        var offset: Int64
    }

    private let loop: Loop
    private let journal: any EventLog
    private let log: Log
    private lazy var side = SideWork(name: "consumers", events: loop.events)
    private var watched: [String: Watched] = [:]
    private var isTicking = false

    init(_ loop: Loop, _ journal: any EventLog, _ log: Log) {
        self.loop = loop
        self.journal = journal
        self.log = log
    }

    /// What is configured as before goes on.
    func use(_ settings: Settings) {
        let before = watched
        watched = [:]
        for sink in settings.sinks {
            guard case .nats(let place) = sink.place, !place.consumers.isEmpty else { continue }
            if let old = before[sink.name], old.settings == place {
                watched[sink.name] = old
            } else {
                watched[sink.name] = Watched(
                    settings: place, acknowledgements: NATSAcknowledgements(place))
            }
        }
        if !watched.isEmpty, !isTicking { tick() }
    }

    private static let lookMs: Int64 = 1000

    private func tick() {
        isTicking = !watched.isEmpty
        guard isTicking else { return }
        for name in watched.keys.sorted() { look(name) }
        loop.events.after(ms: Self.lookMs) { [unowned self] in tick() }
    }

    private func look(_ sink: String) {
        guard let place = watched[sink], !place.isLooking, let cursor = loop.engine.state.sinks[sink] else { return }
        watched[sink]?.isLooking = true
        // What had reached the stream before it is looked at.
        let reached = Place(position: cursor.position, offset: cursor.offset)
        side.run { [acknowledgements = place.acknowledgements, journal] in
            Self.places(acknowledgements, journal, reached)
        } then: { [weak self] places in
            self?.watched[sink]?.isLooking = false
            self?.take(places, sink)
        }
    }

    private static func places(
        _ acknowledgements: NATSAcknowledgements, _ journal: any EventLog, _ reached: Place
    ) -> [String: Result<Place, SinkFailure>] {
        do throws(SinkFailure) {
            return try acknowledgements.look().mapValues { floor in
                floor.map { floor in
                    switch floor {
                    case .everything: return reached
                    case .upTo(let position):
                        if position >= reached.position { return reached }
                        return Place(
                            position: position, offset: position > 0 ? journal.offset(afterPosition: position) : 0)
                    }
                }
            }
        } catch { return ["": .failure(error)] }
    }

    private func take(_ places: [String: Result<Place, SinkFailure>], _ sink: String) {
        for (consumer, result) in places.sorted(by: { $0.key < $1.key }) {
            let name = "\(sink).\(consumer)"
            switch result {
            case .failure(let failure):
                if watched[sink]?.told[consumer] != failure.words {
                    log.error(
                        "acknowledgements cannot be read",
                        [("sink", sink), ("consumer", consumer), ("error", failure.words)])
                }
                watched[sink]?.told[consumer] = failure.words
            case .success(let place):
                watched[sink]?.told[consumer] = nil
                let known = loop.engine.state.consumers[name]
                // One that is new begins to be waited for.
                if let known, !known.isExpired, place.position <= known.position { continue }
                loop.submit(
                    actor: .daemon,
                    .acknowledge(
                        consumer: name, position: place.position,
                        journalOffset: max(place.offset, known?.journalOffset ?? 0))
                ) { [log] answer in
                    if case .failure(let refusal) = answer {
                        log.error(
                            "an acknowledgement is refused", [("consumer", name), ("error", refusal.words)])
                    }
                }
            }
        }
    }
}
