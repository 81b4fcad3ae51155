import CLinux
import Planner
public import Reconciler

/// What traces are told of the work of the loop. With traces switched off, nothing of this costs anything.
extension Loop {
    /// A step that belongs to traces is durable: how it was decided and how it was stored.
    func tellCommit() {
        guard let spans, let step = conductor.committing else { return }
        let now = agentos_monotonic_ns()
        var seen: Set<String> = []
        for event in step.changes.events {
            guard let trace = event.traceID, seen.insert(trace).inserted, let parent = spans.parent(trace) else {
                continue
            }
            let position = String(event.position)
            spans.tell(
                "plan", .inner, trace: trace, id: Span.id("plan", position), parent: parent, stepNs.began,
                stepNs.ended, [("agentos.part", "planner")])
            spans.tell(
                "commit", .inner, trace: trace, id: Span.id("commit", position), parent: parent, commitBeganNs, now,
                [("agentos.part", "store"), ("agentos.events", String(step.changes.events.count))])
        }
    }

    func tell(_ operation: Operation, _ result: OperationResult, beganNs: Int64) {
        guard let spans, let (trace, parent) = told(operation.run.uid, spans) else { return }
        let failure: String? = if case .failed(let why) = result { why } else { nil }
        spans.tell(
            "operation \(operation.kind.rawValue)", .client, trace: trace,
            id: Span.id(operation.run.text, operation.kind.rawValue, String(beganNs)),
            parent: operation.kind == .start ? Span.id(operation.run.text) : parent, beganNs, agentos_monotonic_ns(),
            [
                ("agentos.part", "drivers"), ("agentos.driver", operation.driver),
                ("agentos.run", operation.run.text),
            ], failure: failure)
    }

    /// A start has come to its end, with the stages that it has reached.
    func tell(_ start: StartStages.Ended) {
        guard let spans, let run = start.run, let (trace, parent) = told(run.uid, spans) else { return }
        let events = start.marks.map { ($0.stage.rawValue, $0.atNs) }
        spans.tell(
            "start", .inner, trace: trace, id: Span.id(run.text), parent: parent, start.beganNs, start.endedNs,
            [("agentos.part", "reconciler"), ("agentos.run", run.text)], events: events, failure: start.failure)
    }

    /// What has not come to its end by now is told as it is: the next daemon does not know when it began.
    func tellUnderWay() {
        if spans == nil { return }
        for start in measures.starts.interrupted() { tell(start) }
    }

    private func told(_ uid: UID, _ spans: SpanPort) -> (trace: String, parent: UInt64?)? {
        guard let key = engine.state.keysByUID[uid], let trace = engine.state.objects[key]?.workTrace,
            let parent = spans.parent(trace)
        else { return nil }
        return (trace, parent)
    }
}

extension SpanPort {
    /// Tells of a stretch between two times of the clock for durations.
    public func tell(
        _ name: String, _ kind: Span.Kind, trace: String, id: UInt64, parent: UInt64?, _ beganNs: Int64,
        _ endedNs: Int64, _ attributes: [(String, String)], events: [(String, Int64)] = [], failure: String? = nil
    ) {
        // The time of day is read now: between the two it may have been set.
        let offset = agentos_wall_ns() - agentos_monotonic_ns()
        var span = Span(
            name, kind, trace: trace, id: id, parent: parent, startNs: beganNs + offset, endNs: endedNs + offset,
            attributes)
        span.events = events.map { ($0.0, $0.1 + offset) }
        span.failure = failure
        emit(span)
    }

    /// A sink has confirmed an event.
    func tellDelivery(_ event: EventRecord, to sink: String) {
        guard let trace = event.traceID, let parent = parent(trace) else { return }
        let isJournal = sink == "journal"
        emit(
            Span(
                "publish \(sink)", .producer, trace: trace,
                id: isJournal ? event.spanID : Span.id(sink, event.uid.text, String(event.sequence)),
                parent: isJournal ? parent : event.spanID, startNs: event.atMs * 1_000_000, endNs: agentos_wall_ns(),
                [
                    ("agentos.part", "sinks"), ("agentos.sink", sink), ("agentos.event", event.type),
                    ("agentos.event_id", "\(event.uid.text)-\(event.sequence)"),
                ]))
    }
}
