import Glibc
import Values

struct DaemonVerb: Verb {
    static let name = "daemon"
    static let usage = "daemon [start|stop|status]"
    static let operands = Operands.words(["start", "stop", "status"])
    static let text = "Serve in the foreground, or start, stop or look at a daemon in the background."

    @Option("config", value: "FILE", "settings file (default: /etc/agentos/daemon.yaml for root, else below ~/.config)")
    var config: String?
    @Flag("print-config", "print the settings that file, environment and options come to, and where from") var prints
    let options = SettingOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let resolved = try invocation.settings(config: config, options: options.words)
        let paths = try invocation.paths(resolved.settings)
        if prints {
            try Terminal.print(resolved.text)
            return .success
        }
        let session = Session(paths)
        switch invocation.words.first {
        case nil: return try Daemon.run(resolved.settings, paths)
        case "start":
            switch session.presence {
            case .absent: break
            case .unusable(let problem): throw problem
            case .alive:
                try Terminal.print("a daemon serves \(paths.socket) already")
                return .success
            }
            let file = config.map { ["--config", Paths.absolute($0)] } ?? []
            try BackgroundDaemon.start(session, file + options.passedOn)
            try Terminal.print("daemon started; it serves \(paths.socket) and does not survive a reboot")
            return .success
        case "stop": return try BackgroundDaemon.stop(paths)
        case "status": return try status(session)
        case let word?:
            let hint = Suggestion.text(for: word, among: ["start", "stop", "status"])
            throw invocation.usage("unknown word \"\(word)\": expected start, stop or status\(hint)")
        }
    }

    private func status(_ session: Session) throws -> ExitCode {
        switch session.presence {
        case .alive: break
        case .unusable(let problem): throw problem
        case .absent:
            try Terminal.print("no daemon serves \(session.paths.socket)")
            return .noDaemon
        }
        var request = Client.Request("GET", "/readyz")
        request.timeoutMs = 5000
        let ready = try session.answer(request)
        let holder = LockHolder.pid(session.paths).map { "with pid \($0) " } ?? ""
        try Terminal.print("daemon \(holder)serves \(session.paths.socket)")
        if ready.isSuccess { return .success }
        try Terminal.print("not ready: \(String(decoding: ready.body, as: UTF8.self))")
        return .failure
    }
}
