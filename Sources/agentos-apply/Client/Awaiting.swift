package import Manifests

/// The state machine of waiting: it is shown objects, and says what to look at next. Time is an argument.
///
/// What is Ready must stay so for `settleMs`: a program that crashes at once was never up for anybody.
package struct Awaiting {
    private enum Progress: Equatable {
        case unseen
        case pending(phase: String)
        case settling(untilMs: Int64)
        case done
        case failed
        case missing
    }

    package enum Next: Equatable, Sendable {
        /// List the kind, and follow its changes until this time; nil: the list is enough.
        case look(Kind, followUntilMs: Int64?)
        case end(Ending)
    }

    package enum Ending: Equatable, Sendable {
        case met
        case failed
        /// Objects that never were.
        case missing([String])
        /// What had not reached the goal, each with the phase it was in and what it lacked.
        case timedOut([Late])
    }

    /// What a person is told.
    package enum News: Equatable, Sendable {
        /// A line of progress, which a terminal shows otherwise.
        case progress(String)
        case result(String)
        /// A replica will not come up; what it wrote last says more.
        case crashed(String, ordinal: Int)
    }

    package struct Late: Equatable, Sendable {
        package var kind: Kind
        package var namespace: String
        package var name: String
        package var phase: String

        package init(kind: Kind, namespace: String, name: String, phase: String) {
            self.kind = kind
            self.namespace = namespace
            self.name = name
            self.phase = phase
        }

        /// What was waited for in vain, and what to do next.
        package func text(_ goal: Goal, afterMs ms: Int64) -> String {
            let time = ms % 1000 == 0 ? "\(ms / 1000) s" : "\(ms) ms"
            let place = kind.isNamespaced ? " -n \(namespace)" : ""
            return "timed out waiting for \(kind.qualifiedSingular)/\(name) \(goal.words), after \(time): \(phase); "
                + "see 'agentos-apply describe \(kind.singular) \(name)\(place)'"
        }
    }

    private static let settleMs: Int64 = 500

    private let objects: [Awaited]
    private let goal: Goal
    private let deadlineMs: Int64
    private var progress: [Progress]
    /// What the decisions need, kept so that a change costs the same however many objects there are.
    private var pending: [Kind: Int] = [:]
    private var settling: [Kind: (count: Int, untilMs: Int64)] = [:]
    private var failed = 0
    private var missing: [Int] = []
    /// The object that the summary names: it stays the same for as long as it is waited for.
    private var named: Int?
    /// Nil: crashes are waited out.
    private let crashesMax: Int?
    private var crashes: [Crashes]
    /// A deletion is told when it is what was waited for.
    private let tellsDeletions: Bool

    /// - Parameter crashesMax: of one replica, after which it is not waited for any more.
    package init(
        _ objects: [Awaited], _ goal: Goal, deadlineMs: Int64, crashesMax: Int? = nil, tellsDeletions: Bool = false
    ) {
        self.objects = objects
        self.goal = goal
        self.crashesMax = crashesMax
        self.tellsDeletions = tellsDeletions
        crashes = objects.map { Crashes(endsBefore: $0.endsBefore) }
        self.deadlineMs = deadlineMs
        progress = objects.map { _ in .unseen }
        named = objects.isEmpty ? nil : 0
        for object in objects { count(object.kind, 1) }
    }

    private mutating func count(_ kind: Kind, _ change: Int) { pending[kind, default: 0] += change }

    private mutating func set(_ index: Int, _ new: Progress) {
        let kind = objects[index].kind
        switch progress[index] {
        case .unseen, .pending: count(kind, -1)
        case .settling: settling[kind]?.count -= 1
        case .done, .failed, .missing: break
        }
        progress[index] = new
        switch new {
        case .unseen, .pending: count(kind, 1)
        case .settling(let untilMs):
            let (count, latestMs) = settling[kind] ?? (0, 0)
            settling[kind] = (count + 1, max(latestMs, untilMs))
        case .done: break
        case .failed: failed += 1
        case .missing: missing.append(index)
        }
        if named.map({ !isPending($0) }) ?? true { named = objects.indices.first { isPending($0) } }
    }

    private var pendingCount: Int { pending.values.reduce(0, +) }

    // MARK: Looking

    /// Takes in how an object is, or that it is not there.
    package mutating func observe(_ index: Int, _ object: ObjectView?, nowMs: Int64) -> News? {
        let name = objects[index].shown
        let before = progress[index]
        switch before {
        case .done, .failed, .missing: return nil
        case .unseen, .pending, .settling: break
        }
        if let crashesMax, let object {
            let known = crashes[index].count
            if let crash = crashes[index].observe(object, objects[index].generation, crashesMax: crashesMax) {
                set(index, .failed)
                return .crashed("\(name): failed: \(crash.message)", ordinal: crash.ordinal)
            }
            // Ready again, and how it was in between nobody saw: it has not stayed up.
            if crashes[index].count > known, case .settling = before {
                set(index, .settling(untilMs: nowMs + Self.settleMs))
                return nil
            }
        }
        switch goal.judge(object, generation: objects[index].generation) {
        case .met(let phase):
            guard [.readyOrCompleted, .rolledOut, .scaled].contains(goal), phase == "Ready" else {
                set(index, .done)
                if goal != .deleted { return .result("\(name): \(phase ?? "done")") }
                let wasThere = objects[index].wasThere || before != .unseen
                return tellsDeletions ? .result("\(name): \(wasThere ? "was deleted" : "never was")") : nil
            }
            guard case .settling(let untilMs) = before else {
                set(index, .settling(untilMs: nowMs + Self.settleMs))
                return .result("\(name): Ready")
            }
            if nowMs >= untilMs, pendingCount == 0 { set(index, .done) }
            return nil
        case .notYet(let phase):
            set(index, .pending(phase: phase))
            return goal == .deleted || before == progress[index] ? nil : .progress("\(name): \(phase)")
        case .failed(let why):
            set(index, .failed)
            return .result("\(name): failed: \(why)")
        case .gone:
            guard objects[index].wasThere || before != .unseen else {
                set(index, .missing)
                return nil
            }
            set(index, .failed)
            return .result("\(name): failed: it was deleted")
        }
    }

    // MARK: Deciding

    /// What to do now. Kinds that need others come first, so that what they wait for is told last.
    package func next(nowMs: Int64) -> Next {
        if !missing.isEmpty {
            return .end(.missing(missing.map { "\(objects[$0].kind.qualifiedResource) \"\(objects[$0].name)\"" }))
        }
        if failed > 0 { return .end(.failed) }
        if let kind = pending.filter({ $0.value > 0 }).keys.max() {
            return nowMs < deadlineMs ? .look(kind, followUntilMs: deadlineMs) : .end(.timedOut(late))
        }
        // Without the time to see whether it stays up, Ready is what is known.
        guard nowMs < deadlineMs,
            let (kind, state) = settling.filter({ $0.value.count > 0 }).max(by: { $0.key < $1.key })
        else { return .end(.met) }
        return .look(kind, followUntilMs: state.untilMs > nowMs ? min(state.untilMs, deadlineMs) : nil)
    }

    /// The objects of a kind that are still looked at.
    func open(_ kind: Kind) -> [Int] {
        objects.indices.filter { index in
            guard objects[index].kind == kind else { return false }
            switch progress[index] {
            case .unseen, .pending, .settling: return true
            case .done, .failed, .missing: return false
            }
        }
    }

    subscript(_ index: Int) -> Awaited { objects[index] }

    /// How far it is, in one line for a terminal; nil when nothing is waited for any more.
    package var summary: String? {
        let pending = pendingCount
        if failed > 0 || pending == 0 && settling.values.allSatisfy({ $0.count == 0 }) { return nil }
        let next = named.map { "\(objects[$0].name): \(phase($0))" }
        return "waiting: \(objects.count - pending) of \(objects.count) done (\(next ?? "seeing whether they stay up"))"
    }

    private func isPending(_ index: Int) -> Bool {
        switch progress[index] {
        case .unseen, .pending: true
        case .settling, .done, .failed, .missing: false
        }
    }

    private func phase(_ index: Int) -> String {
        if case .pending(let phase) = progress[index] { phase } else { "it was not seen" }
    }

    private var late: [Late] {
        objects.indices.filter { isPending($0) }.map { index in
            let object = objects[index]
            return Late(kind: object.kind, namespace: object.namespace, name: object.name, phase: phase(index))
        }
    }
}
