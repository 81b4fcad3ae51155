import API
import HTTP
import Machine
import Messaging
import Values

/// The places where requests are taken over NATS, as the settings name them.
final class ConfiguredRequests {
    private let server: Server
    private let group: String
    private let log: Log
    private let arrivals = Mailbox<NATSRequest>()
    private var taken: [String: (settings: NATSSettings, requests: NATSRequests)] = [:]

    init(_ server: Server, storeID: String, _ log: Log) {
        self.server = server
        self.log = log
        group = "agentos-\(storeID)"
    }

    func start(_ settings: Settings, _ events: EventLoop) {
        events.receive(arrivals) { [unowned self] arrivals in for request in arrivals { serve(request) } }
        use(settings)
    }

    /// What is configured as before goes on.
    func use(_ settings: Settings) {
        let before = taken
        taken = [:]
        for sink in settings.sinks {
            guard case .nats(let place) = sink.place, place.takesRequests else { continue }
            if let old = before[sink.name], old.settings == place { taken[sink.name] = old } else { take(sink, place) }
        }
        for (name, old) in before where taken[name]?.requests !== old.requests { old.requests.end() }
    }

    /// Takes no more; what was taken is still answered.
    func end() { for place in taken.values { place.requests.end() } }

    /// Waits until the last answers have left.
    func join() { for place in taken.values { place.requests.join(ms: 2500) } }

    private func take(_ sink: SinkSetting, _ place: NATSSettings) {
        let rule = NATSRequestRule(
            group: group, headerNames: MessageRequest.headerNames, openMax: Limits.messagesMax,
            bytesMax: Limits.messagesBytesMax, noRoom: Self.answer(Server.noRoomForMessages))
        let requests = NATSRequests(place, rule) { [log, name = sink.name] words in
            log.info("requests over NATS", [("sink", name), ("state", words)])
        } take: { [arrivals] in
            arrivals.send($0)
        }
        requests.start()
        taken[sink.name] = (place, requests)
    }

    private func serve(_ request: NATSRequest) {
        let message = MessageRequest(
            namespace: request.namespace, headers: request.headers, body: request.body, takenMs: request.takenMs,
            timeoutMs: request.timeoutMs, answerBytesMax: request.answerBytesMax)
        server.serve(message) { request.answer(Self.answer($0)) }
    }

    private static func answer(_ answer: HTTPMessage.Answer) -> NATSAnswer {
        NATSAnswer(code: answer.status, headers: [("Content-Type", answer.type)] + answer.headers, body: answer.body)
    }
}
