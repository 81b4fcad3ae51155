/// The life of a daemon, from its start to its exit code: each event leads to a state and says what is to be done.
package struct Lifecycle: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case starting
        case serving
        /// What is under way is finished; nothing new is taken.
        case stopping(Reason)
        case ended(Reason)
    }

    package enum Reason: Equatable, Sendable {
        case signal(String)
        /// The same program starts again on the restored database.
        case restore
        case storeFailure
    }

    package enum Event: Equatable, Sendable {
        case serves
        case signal(String)
        case restore
        case storeFailed
        case loopStopped
    }

    package enum Action: Equatable, Sendable {
        /// Lets the loop finish what it has begun.
        case stopLoop(why: String)
        case leave
    }

    package private(set) var state = State.starting

    package init() {}

    /// - Returns: nil when there is nothing to do: a second signal hurries nobody.
    package mutating func take(_ event: Event) -> Action? {
        switch (state, event) {
        case (.ended, _), (.stopping(.signal), .signal), (.stopping(.storeFailure), .signal), (.stopping, .restore),
            (.stopping, .serves), (.serving, .serves),
            (.starting, .loopStopped), (.serving, .loopStopped):
            return nil
        case (.starting, .serves):
            state = .serving
            return nil
        case (.starting, .signal(let name)), (.serving, .signal(let name)):
            state = .stopping(.signal(name))
            return .stopLoop(why: name)
        case (.starting, .restore), (.serving, .restore):
            state = .stopping(.restore)
            return .stopLoop(why: "restore")
        // Who wants it to end does not want it to start again; the backup waits for the next start.
        case (.stopping(.restore), .signal(let name)):
            state = .stopping(.signal(name))
            return nil
        // What the store refuses cannot be finished.
        case (.starting, .storeFailed), (.serving, .storeFailed), (.stopping, .storeFailed):
            state = .ended(.storeFailure)
            return .leave
        case (.stopping(let reason), .loopStopped):
            state = .ended(reason)
            return .leave
        }
    }

    /// It ends, or has ended, to start again.
    package var startsAgain: Bool { state == .stopping(.restore) || state == .ended(.restore) }

    package var exitCode: ExitCode {
        switch state {
        case .ended(.signal), .ended(.restore): .success
        case .ended(.storeFailure): .storeFailure
        case .starting, .serving, .stopping: .failure
        }
    }
}
