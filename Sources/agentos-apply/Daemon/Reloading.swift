import API
import Machine
import Values

/// Reads the settings again while the daemon runs. What cannot change then is told, and waits for the next start.
final class Reloading {
    private let reader: SettingsReader
    /// What the daemon was started with: so it goes on in all that cannot change.
    private let started: Settings
    private var current: Settings
    private let log: Log
    private let side: SideWork
    private let manager: ServiceManager
    private let serves: String
    /// Gives new settings to all whom they concern, or to nobody.
    private let use: (Settings) throws -> Void

    init(
        _ reader: SettingsReader, _ settings: Settings, serves: String, _ log: Log, _ events: EventLoop,
        _ manager: ServiceManager, use: @escaping (Settings) throws -> Void
    ) {
        self.reader = reader
        started = settings
        current = settings
        self.serves = serves
        self.log = log
        self.manager = manager
        self.use = use
        side = SideWork(name: "settings", events: events)
    }

    /// `then` gets what came of it.
    func run(_ then: @escaping (Server.Reload) -> Void = { _ in }) {
        manager.reloads()
        side.run { [reader] () -> Result<Settings, CommandProblem> in
            do throws(CommandProblem) {
                let settings = try reader.resolve().settings
                return settings.problem.map { .failure(CommandProblem(.invalid, $0)) } ?? .success(settings)
            } catch { return .failure(error) }
        } then: { [unowned self] result in
            let outcome = take(result)
            tell(outcome)
            manager.serves(serves)
            then(outcome)
        }
    }

    private func take(_ result: Result<Settings, CommandProblem>) -> Server.Reload {
        do {
            let next = try result.get()
            let changed = next.differences(from: current, reloads: true)
            if !changed.isEmpty { try use(next) }
            current = next
            return .read(changed: changed, atNextStart: next.differences(from: started, reloads: false))
        } catch let problem as CommandProblem { return .refused(problem.message) } catch {
            return .refused("\(error)")
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
