import API
import Machine
import Values

/// Reads the settings again while the daemon runs. What cannot change then is told, and waits for the next start.
final class Reloading {
    /// What new settings come to: their files were read and are good.
    struct Prepared: Sendable {
        var listening: Listeners.Prepared?
        var tokens: TokenFile.Reading?
    }

    private let reader: SettingsReader
    /// What the daemon was started with: so it goes on in all that cannot change.
    private let started: Settings
    private var current: Settings
    private let log: Log
    private let side: SideWork
    private let manager: ServiceManager
    private let serves: String
    /// Reads what new settings name; called on a thread beside the loop, with what holds when it is asked for.
    private let prepare: () -> @Sendable (Settings) throws(CommandProblem) -> Prepared
    /// Gives new settings to all whom they concern.
    private let use: (Settings, Prepared) -> Void

    init(
        _ reader: SettingsReader, _ settings: Settings, serves: String, _ log: Log, _ events: EventLoop,
        _ manager: ServiceManager, prepare: @escaping () -> @Sendable (Settings) throws(CommandProblem) -> Prepared,
        use: @escaping (Settings, Prepared) -> Void
    ) {
        self.reader = reader
        started = settings
        current = settings
        self.serves = serves
        self.log = log.about(.settings)
        self.manager = manager
        self.prepare = prepare
        self.use = use
        side = SideWork(name: "settings", events: events)
    }

    /// `then` gets what came of it.
    func run(_ then: @escaping (Server.Reload) -> Void = { _ in }) {
        manager.reloads()
        side.run { [reader, prepare = prepare()] () -> Result<(Settings, Prepared), CommandProblem> in
            do throws(CommandProblem) {
                let settings = try reader.resolve().settings
                if let problem = settings.problem { throw CommandProblem(.invalid, problem) }
                return .success((settings, try prepare(settings)))
            } catch { return .failure(error) }
        } then: { [unowned self] result in
            let outcome = take(result)
            tell(outcome)
            manager.serves(serves)
            then(outcome)
        }
    }

    private func take(_ result: Result<(Settings, Prepared), CommandProblem>) -> Server.Reload {
        switch result {
        case .failure(let problem): return .refused(problem.message)
        case .success((let next, let prepared)):
            let changed = next.differences(from: current, reloads: true)
            if !changed.isEmpty { use(next, prepared) }
            current = next
            return .read(changed: changed, atNextStart: next.differences(from: started, reloads: false))
        }
    }

    private func tell(_ outcome: Server.Reload) {
        switch outcome {
        case .refused(let problem):
            log.error("the settings cannot be used and stay as they were", [("error", problem)])
        case .read(let changed, let atNextStart):
            log.info("the settings were read again", [("changed", changed.joined(separator: " "))])
            if !atNextStart.isEmpty {
                log.error(
                    "settings have changed that hold from the next start on; agents run on through it",
                    [("settings", atNextStart.joined(separator: " "))])
            }
        }
    }
}
