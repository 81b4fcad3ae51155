/// How often each fault happens in a life, in percent of its occasions.
///
/// Drawn per seed: some lives are full of one fault and free of another, so that what hides behind one shows, too.
struct Faults {
    /// A crash of the daemon at one of its boundaries.
    var crash: Int
    var crashAfterCommit: Int
    var commitFails: Int
    /// A supervisor that comes long after it was asked to.
    var lateStart: Int
    /// An operation that reports to have failed; one that reports again, later.
    var operationFails: Int
    var reportsTwice: Int
    var journalRefuses: Int
    /// A named sink that dies in the midst of a batch, and one that does not take an event.
    var sinkDies: Int
    var sinkPostpones: Int
    /// A piece of the journal that cannot be read at the moment.
    var journalUnread: Int
    var tornRead: Int

    init(_ random: inout SeededRandom) {
        func draw(_ usual: Int) -> Int { min(80, usual * [0, 1, 1, 1, 2, 3][random.below(6)]) }
        crash = draw(1)
        crashAfterCommit = draw(2)
        commitFails = draw(4)
        lateStart = draw(12)
        operationFails = draw(6)
        reportsTwice = draw(5)
        journalRefuses = draw(2)
        sinkDies = draw(8)
        sinkPostpones = draw(2)
        journalUnread = draw(5)
        tornRead = draw(30)
    }
}

extension Life {
    /// Whether a fault happens now; none does in the calm.
    mutating func happens(_ fault: KeyPath<Faults, Int>) -> Bool { !isCalm && random.chance(faults[keyPath: fault]) }
}
