import Machine

/// Questions of a loop that other threads answer, through one mailbox: a question takes no descriptor.
final class Replies {
    private let mailbox = Mailbox<(question: Int, answer: any Sendable)>()
    private var open: [Int: (any Sendable) -> Void] = [:]
    private var last = 0

    func start(on events: EventLoop) {
        events.receive(mailbox) { [unowned self] answers in
            for (question, answer) in answers { open[question]?(answer) }
        }
    }

    /// Asks for one answer or several; `take` gets each, until it returns false.
    ///
    /// - Returns: what hands in an answer, from any thread. One that comes after the last is dropped.
    func ask<Answer: Sendable>(_ take: @escaping (Answer) -> Bool) -> @Sendable (Answer) -> Void {
        last += 1
        let question = last
        open[question] = { [unowned self] answer in
            guard let answer = answer as? Answer else { preconditionFailure("an answer to another question") }
            if !take(answer) { open[question] = nil }
        }
        return { [mailbox] in mailbox.send((question, $0)) }
    }
}
