import Machine
import Planner
public import Reconciler
import Values

/// A named sink of the configuration: what decides about it, and the sink itself.
public struct NamedSink: Sendable {
    public var rule: SinkRule
    public var sink: any EventSink

    public init(rule: SinkRule, sink: any EventSink) {
        self.rule = rule
        self.sink = sink
    }
}

/// One named sink, and the call that it is busy with.
final class Feeder {
    let rule: SinkRule
    let sink: any EventSink
    /// The number of the call that has not ended, and what ends the wait for it.
    var call: (number: Int, timer: EventLoop.TimerID)?

    init(_ named: NamedSink) { (rule, sink) = (named.rule, named.sink) }
}

/// Feeding named sinks: each call on a thread of its own, with a deadline, so that a slow sink slows nobody.
extension Loop {
    /// The named sinks from now on. Those that are to go on as they are must be handed in again.
    public func use(_ sinks: [NamedSink]) {
        let before = feeders
        feeders = Dictionary(sinks.map { ($0.rule.name, Feeder($0)) }, uniquingKeysWith: { first, _ in first })
        // A call that is under way holds the next one back, whatever has changed.
        for (name, feeder) in feeders { feeder.call = before[name]?.call }
        report(.inputs([.sinks(sinks.map(\.rule))]))
    }

    func feed(_ request: SinkRequest) {
        guard let feeder = feeders[request.sink] else {
            return inbox.send(.report(.fed(SinkReport(request, .lost("it is not configured any more")))))
        }
        if feeder.call != nil {
            let why = "the call before has not ended yet"
            return inbox.send(.report(.fed(SinkReport(request, .lost(why)))))
        }
        let timer = events.after(ms: Limits.sinkAnswerMs) { [unowned self] in
            report(.fed(SinkReport(request, .lost("no answer within \(Limits.sinkAnswerMs / 1000) s"))))
        }
        feeder.call = (request.number, timer)
        let hasBegun = tryThread(name: "sink") { [sink = feeder.sink, journal, inbox, spans] in
            // What was dropped meanwhile is told first.
            let start = journal.start
            if request.from < start { inbox.send(.input(.retained(from: start))) }
            let batch = request.batch(of: journal)
            let answer: Result<[DeliveryVerdict], SinkFailure>
            var call = SinkCall(request.sink)
            do throws(SinkFailure) {
                let verdicts = batch.events.isEmpty ? [] : try sink.append(batch.events)
                call.end(batch.events, verdicts, spans)
                answer = .success(verdicts)
            } catch { answer = .failure(error) }
            if !batch.events.isEmpty { inbox.send(.measured(call)) }
            inbox.send(.ended(sink: request.sink, number: request.number, batch.report(answer)))
        }
        if !hasBegun {
            let report = SinkReport(request, .lost("the machine gives no thread for it now"))
            inbox.send(.ended(sink: request.sink, number: request.number, report))
        }
    }

    /// A call has ended, perhaps long after it was given up.
    func endCall(_ sink: String, _ number: Int, _ report: SinkReport) {
        if let feeder = feeders[sink], let call = feeder.call, call.number == number {
            events.cancel(call.timer)
            feeder.call = nil
        }
        self.report(.fed(report))
    }

    func noteFed(_ report: SinkReport) {
        guard let failure = report.failure else { return }
        let name = report.request.sink
        // Told when it begins, and not each time.
        guard engine.sinkFacts(name).problem == nil else { return }
        log.write(LogLine(.sinks, .error, "sink unavailable", [("sink", name), ("error", failure.words)]))
    }
}
