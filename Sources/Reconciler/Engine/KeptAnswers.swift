import Values

/// The answers to requests that carried an `Idempotency-Key`, each for as long as it is kept.
///
/// Guarantee: what has expired makes room for what comes. Nobody holds more than his share, so that the room is not one
/// user's alone.
public struct KeptAnswers: Sendable {
    private var answers: [KeptAnswer.ID: KeptAnswer] = [:]
    /// By their age, the oldest first; answers that were replaced stand there until their turn comes.
    private var order: [(atMs: Int64, id: KeptAnswer.ID)] = []
    private var first = 0
    /// How many each principal has.
    private var shares: [String: Int] = [:]

    public init() {}

    public var count: Int { answers.count }

    /// All of them, in no particular order.
    public var all: some Collection<KeptAnswer> { answers.values }

    subscript(id: KeptAnswer.ID) -> KeptAnswer? { answers[id] }

    /// Takes an answer up. Those of a store come in any order, and are sorted once by `settle`.
    public mutating func keep(_ answer: KeptAnswer) {
        if answers.updateValue(answer, forKey: answer.id) == nil { shares[answer.principal, default: 0] += 1 }
        order.append((answer.atMs, answer.id))
    }

    /// Puts what a store has given into its order.
    mutating func settle() { order.sort { $0.atMs < $1.atMs } }

    /// Drops what has expired.
    mutating func expire(_ nowMs: Int64) {
        while first < order.count {
            let (atMs, id) = order[first]
            if let answer = answers[id], answer.atMs == atMs {
                guard !answer.isKept(nowMs) else { break }
                answers[id] = nil
                let left = (shares[id.principal] ?? 1) - 1
                shares[id.principal] = left > 0 ? left : nil
            }
            first += 1
        }
        if first > order.count / 2 {
            order.removeFirst(first)
            first = 0
        }
    }

    /// How long a principal waits for room, when so many more answers, and so many of his, are on their way in; nil: there
    /// is room.
    func fullForMs(_ principal: String, _ nowMs: Int64, beside coming: (all: Int, own: Int)) -> Int64? {
        let isFull =
            count + coming.all >= Limits.keptAnswersMax
            || (shares[principal] ?? 0) + coming.own >= Limits.keptAnswersOfOneMax
        guard isFull else { return nil }
        let oldest = first < order.count ? order[first].atMs : nowMs
        return min(max(oldest.addingSaturated(Limits.keptAnswerMs) - nowMs, 1000), 3_600_000)
    }
}

extension KeptAnswers: Equatable {
    public static func == (a: KeptAnswers, b: KeptAnswers) -> Bool { a.answers == b.answers }
}

extension KeptAnswer {
    /// It is younger than a day; one from a time that has not come, as a clock that was set back leaves it, is so for a day.
    func isKept(_ nowMs: Int64) -> Bool {
        let age = nowMs.subtractingSaturated(atMs)
        return age < Limits.keptAnswerMs && age > -Limits.keptAnswerMs
    }
}
