import CLinux

/// Requests that no daemon has taken, because one ends or the next does not listen yet: they are sent again.
struct Unserved {
    struct Sent {
        var index: Int
        var request: Client.Request
        var sink: Transfer.Sink?
        /// Since when it is sent in vain, to one that ends or to nobody.
        var vain: (toOneThatEnds: Bool, sinceMs: Int64)?
    }

    static let pauseMs: Int64 = 20

    /// What is under way, by its index.
    var sent: [Int: Sent] = [:]
    private var waiting: [Sent] = []
    private var dueMs: Int64 = 0
    private let patience: Client.Patience
    private let isArriving: () -> Bool

    init(_ patience: Client.Patience, _ isArriving: @escaping () -> Bool) {
        self.patience = patience
        self.isArriving = isArriving
    }

    var isEmpty: Bool { waiting.isEmpty }

    /// True when nobody has taken the request and it will be sent again.
    mutating func takes(_ index: Int, _ result: Result<Client.Response, Client.Failure>) -> Bool {
        guard var request = sent.removeValue(forKey: index), isUntaken(result) else { return false }
        let (now, ends) = (agentos_boot_ms(), (try? result.get()) != nil)
        let vain = request.vain.flatMap { $0.toOneThatEnds == ends ? $0 : nil } ?? (toOneThatEnds: ends, sinceMs: now)
        guard now - vain.sinceMs < (ends ? patience.leavingMs : patience.arrivalMs), isArriving() else { return false }
        request.vain = vain
        waiting.append(request)
        dueMs = now + Self.pauseMs
        return true
    }

    private func isUntaken(_ result: Result<Client.Response, Client.Failure>) -> Bool {
        switch result {
        case .success(let response): response.isOfOneThatStops
        case .failure(.absent): true
        case .failure(.forbidden), .failure(.untrusted), .failure(.unable), .failure(.silent), .failure(.late),
            .failure(.cut), .failure(.tooLarge), .failure(.notUnderstood):
            false
        }
    }

    /// One that is to be sent now.
    mutating func next() -> Sent? { agentos_boot_ms() < dueMs ? nil : waiting.popLast() }

    /// Gives them up.
    mutating func takeAll() -> [Int] {
        defer { waiting = [] }
        return waiting.map(\.index)
    }
}
