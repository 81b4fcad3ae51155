import Planner
public import Reconciler
import Values

extension Loop {
    /// What a batch would lead to if it came next; nothing comes of it.
    ///
    /// Decided on a copy, and put into words by `render`, on a thread of its own: however much it is, nobody waits for it
    /// but who asked. The answer is nil when it took too long.
    public func forecast<Told: Sendable>(
        actor: Principal, _ batch: Request.Batch, render: @escaping @Sendable (Answer) -> Told,
        answer: @escaping (Told?) -> Void
    ) {
        guard hasRoomBeside else { return answer(nil) }
        let request = Request(id: 0, principal: actor, verb: .batch(batch))
        expect(
            ms: Limits.forecastMs,
            take: { value in
                answer(value as? Told)
                return true
            }, late: { answer(nil) },
            begin: { [engine, clock, inbox] number in
                runBeside {
                    let step = engine.rehearse([.request(request)], clock.now())
                    inbox.send(.answer(number, render(step.answers.first?.answer ?? .failure(.unavailable))))
                }
            })
    }
}
