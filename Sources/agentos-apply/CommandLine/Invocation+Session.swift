import Glibc

extension Invocation {
    /// What settings file, environment and options say, the file being the usual one.
    func settings() throws -> ResolvedSettings { try resolve(settingsReader(config: nil, options: [:])) }

    /// Where the settings come from: the usual file or `config`, and the options of this command line.
    func settingsReader(config: String?, options: [String: [String]]) -> SettingsReader {
        var options = options
        if let directory = connection.stateDirectory { options["state-dir"] = [directory] }
        if let socket = connection.socket { options["socket"] = [socket] }
        return SettingsReader(config: config.map(Paths.absolute), options: options)
    }

    func resolve(_ reader: SettingsReader) throws -> ResolvedSettings {
        do throws(CommandProblem) {
            return try reader.resolve()
        } catch {
            throw error.code == .usage ? usage(error.message) : error
        }
    }

    /// The daemon that is meant, and how to talk to it.
    func session() throws -> Session { try server.map { Session($0) } ?? Session(localPaths()) }

    /// Of the daemon of this machine, for what is done beside it, too.
    func localPaths() throws -> Paths { try paths(settings().settings) }

    func paths(_ settings: Settings) throws -> Paths {
        if connection.isRemote {
            throw usage(
                "\(type(of: verb).name) is about the daemon of this machine: leave --kubeconfig and --context away")
        }
        return try localPaths(settings)
    }

    private func localPaths(_ settings: Settings) throws -> Paths {
        try Paths(
            state: settings.stateDirectory, socket: settings.socket, isRoot: getuid() == 0,
            environment: Paths.environment)
    }
}
