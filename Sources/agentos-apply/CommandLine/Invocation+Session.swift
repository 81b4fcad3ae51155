import Glibc

extension Invocation {
    /// What settings file, environment and options say, the file being the usual one or `config`.
    func settings(config: String? = nil, options: [String: [String]] = [:]) throws -> ResolvedSettings {
        var options = options
        if let directory = connection.stateDirectory { options["state-dir"] = [directory] }
        if let socket = connection.socket { options["socket"] = [socket] }
        do throws(CommandProblem) {
            return try ResolvedSettings(
                file: Self.file(config), environment: Paths.environment, options: options)
        } catch {
            throw error.code == .usage ? usage(error.message) : error
        }
    }

    private static func file(_ config: String?) throws(CommandProblem) -> SettingsFile? {
        do { return try SettingsFile.find(config, isRoot: getuid() == 0) } catch let problem as CommandProblem {
            throw problem
        } catch { throw CommandProblem(.failure, "\(error)") }
    }

    /// The daemon that is meant, and how to talk to it.
    func session() throws -> Session { Session(try paths(settings().settings)) }

    func paths(_ settings: Settings) throws -> Paths {
        try Paths(
            state: settings.stateDirectory, socket: settings.socket, isRoot: getuid() == 0,
            environment: Paths.environment)
    }
}
