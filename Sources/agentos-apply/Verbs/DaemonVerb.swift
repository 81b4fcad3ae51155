import Glibc
import HTTPClient
import Values

struct DaemonVerb: Verb {
    static let name = "daemon"
    static let usage = "daemon [start|stop|status|reload]"
    static let operands = Operands.words(["start", "stop", "status", "reload"])
    static let text =
        "Serve in the foreground, or start, stop or look at a daemon in the background, or let it read its settings again."

    @Option("config", value: "FILE", "settings file (default: /etc/agentos/daemon.yaml for root, else below ~/.config)")
    var config: String?
    @Flag("print-config", "print the settings that file, environment and options come to, and where from") var prints
    @Flag("check-config", "say whether the settings can be used, and end") var checks
    @Flag("replace", "take the place of a daemon that serves: agents run on, and who calls waits") var replaces
    let options = SettingOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let reader = invocation.settingsReader(config: config, options: options.words)
        let resolved = try invocation.resolve(reader)
        let paths = try invocation.paths(resolved.settings)
        if checks {
            if let problem = resolved.settings.problem { throw CommandProblem(.invalid, problem) }
            let file = try reader.file()
            try Terminal.print(
                file.map { "\($0.path): valid" } ?? "no settings file; those of environment and options are valid")
            if !prints { return .success }
        }
        if prints {
            try Terminal.print(resolved.text)
            return .success
        }
        let session = Session(paths)
        switch invocation.words.first {
        case nil: return try Daemon.run(resolved.settings, reader, paths, replaces: replaces)
        case "start": return try start(session, paths)
        case let word? where replaces: throw invocation.usage("--replace is for a daemon that starts, not for \(word)")
        case "stop": return try BackgroundDaemon.stop(paths)
        case "status": return try status(session, paths)
        case "reload": return try reload(session)
        case let word?:
            let hint = Suggestion.text(for: word, among: ["start", "stop", "status", "reload"])
            throw invocation.usage("unknown word \"\(word)\": expected start, stop, status or reload\(hint)")
        }
    }

    private func start(_ session: Session, _ paths: Paths) throws -> ExitCode {
        let presence = session.settledPresence
        if case .unusable(let problem) = presence { throw problem }
        if presence == .alive, !replaces {
            try Terminal.print("a daemon serves \(paths.socket) already")
            return .success
        }
        let file = config.map { ["--config", Paths.absolute($0)] } ?? []
        let before = presence == .alive ? LockHolder.pid(paths) : nil
        try BackgroundDaemon.start(paths, file + options.passedOn, replaces: before != nil)
        let place = before.map { " in the place of that with pid \($0); agents run on" } ?? ""
        try Terminal.print("daemon started\(place); it serves \(paths.socket) and does not survive a reboot")
        return .success
    }

    private func reload(_ session: Session) throws -> ExitCode {
        let answer = try session.node("POST", "/apis/agentos.dev/v1/reload", body: [])
        guard let changed = answer["changed"]?.list, let waiting = answer["atNextStart"]?.list else {
            throw session.problem(.notUnderstood("it does not say what has changed"))
        }
        let names = changed.compactMap(\.string)
        try Terminal.print(
            names.isEmpty
                ? "settings read again; none has changed that a running daemon can take"
                : "settings read again; these hold now: \(names.joined(separator: ", "))")
        let rest = waiting.compactMap(\.string)
        if !rest.isEmpty {
            try Terminal.print(
                "these hold when the daemon starts the next time: \(rest.joined(separator: ", "))\n"
                    + "Agents run on while it restarts.")
        }
        return .success
    }

    private func status(_ session: Session, _ paths: Paths) throws -> ExitCode {
        switch session.presence {
        case .alive: break
        case .unusable(let problem): throw problem
        case .absent:
            try Terminal.print("no daemon serves \(paths.socket)")
            return .noDaemon
        }
        var request = Client.Request("GET", "/readyz")
        request.timeoutMs = 5000
        let ready = try session.answer(request)
        let holder = LockHolder.pid(paths).map { "with pid \($0) " } ?? ""
        try Terminal.print("daemon \(holder)serves \(paths.socket)")
        if ready.isSuccess { return .success }
        try Terminal.print("not ready: \(String(decoding: ready.body, as: UTF8.self))")
        return .failure
    }
}
