import CLinux
import Glibc
import HTTPClient
import Machine
import Manifests
import Values

/// What helps a person elsewhere to see what is wrong, and holds nothing that is nobody's business: no value of a Secret or
/// of a variable, no token, no key, no output of an agent. What is shown of an object is named here, field by field.
struct SupportFiles {
    let invocation: Invocation
    let settings: ResolvedSettings
    let paths: Paths
    private let session: Session
    /// Wherever they stand they are hidden.
    private let secrets: [String]
    private(set) var files: [(name: String, content: [UInt8])] = []
    /// What could not be had, and why.
    private var missing: [String] = []

    private static let eventsMax = 500
    private static let logLinesMax = 2000
    private static let logBytesMax = 4 << 20

    init(_ invocation: Invocation) throws {
        self.invocation = invocation
        settings = try invocation.settings()
        paths = try invocation.paths(settings.settings)
        session = Session(paths)
        secrets = Self.secrets(settings.settings)
    }

    mutating func gather() throws {
        let findings = try Doctor.findings(invocation)
        add("doctor.txt", findings.map { $0.text(false) }.joined())
        add("doctor.json", JSONWriter.text(findings.node))
        add("versions.txt", versions)
        add("settings.yaml", settings.text(hiding: ["secrets-key-command", SinkSetting.field.name]))
        try take("status.json") { try $0.objects() }
        try take("events.jsonl") { try $0.events() }
        try take("metrics.txt") {
            String(decoding: try $0.session.send(Client.Request("GET", "/metrics")).body, as: UTF8.self)
        }
        try take("daemon.log") { try $0.log() }
        if !missing.isEmpty { add("missing.txt", missing.joined(separator: "\n")) }
    }

    private mutating func add(_ name: String, _ text: String) { files.append((name, Array(hidden(text).utf8))) }

    /// What cannot be had is named in the bundle; it does not keep the rest from being had.
    private mutating func take(_ name: String, _ text: (SupportFiles) throws -> String) throws {
        let files = self
        do { add(name, try text(files)) } catch let problem as CommandProblem {
            missing.append("\(name): \(problem.message)")
        } catch let failure as Client.Failure {
            missing.append("\(name): \(session.problem(failure).message)")
        }
    }

    /// The tokens and the command that are told to the daemon, wherever they stand: lines of a log are written by many.
    private func hidden(_ text: String) -> String {
        var text = text
        for secret in secrets where secret.utf8.count >= 4 { text = text.replacing(secret, with: "(hidden)") }
        return text
    }

    private static func secrets(_ settings: Settings) -> [String] {
        // A file that cannot be read here was not read by a daemon either.
        let tokens = settings.tokenFile.flatMap { try? LocalFile.readRegular($0, limit: Limits.inputBytesMax).bytes }
        let lines = String(decoding: tokens ?? [], as: UTF8.self).split(separator: "\n")
        return lines.compactMap { $0.split(separator: ",").first.map(String.init) }
            + [settings.secretsKeyCommand].compactMap(\.self)
    }

    // MARK: Parts

    private var versions: String {
        let system = Files.text("/etc/os-release") ?? ""
        let name = system.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }.map(String.init) ?? ""
        return """
            agentos-apply \(programVersion)
            \(name)
            \(Files.text("/proc/version") ?? "")
            """
    }

    /// All objects by what identifies them and how they are.
    private func objects() throws -> String {
        var items: [Node?] = []
        for kind in [Kind.namespace, .agent, .source, .configMap, .secret] {
            let list = try session.node("GET", Session.path(kind, namespace: nil))
            items += try list.items().map { item in
                let object = ObjectView(item)
                let conditions = object.conditions.map { condition in
                    Node.map([
                        ("type", .text(condition.type)), ("status", .text(condition.status)),
                        ("reason", condition.reason.map(Node.text)),
                    ])
                }
                let status: [(String, Node?)] = [
                    "phase", "observedGeneration", "readyReplicas", "replicas", "restarts",
                ].map { ($0, item[path: "status", $0]) }
                return .map([
                    ("kind", .text(kind.rawValue)), ("namespace", .text(object.namespace)),
                    ("name", .text(object.name)),
                    ("uid", .text(object.uid)), ("generation", .number(object.generation)),
                    ("created", object.created.map(Node.text)), ("deleted", object.deleted.map(Node.text)),
                    ("driver", item[path: "spec", "driver"]), ("status", .map(status)),
                    ("conditions", .list(conditions)),
                ])
            }
        }
        return JSONWriter.text(.map([("items", .list(items.compactMap(\.self)))]))
    }

    private func events() throws -> String {
        var request = Client.Request("GET", "/apis/agentos.dev/v1/eventlog")
        request.timeoutMs = nil
        var lines: [String] = []
        let response = try session.client.lines(request) { line in
            guard let event = EventLogView(try Answer.node(line))?.event else { return true }
            let data = event.node["data"]
            lines.append(
                JSONWriter.text(
                    .map([
                        ("position", .number(event.position)), ("time", event.occurredAt.map(Node.text)),
                        ("type", .text(event.type)), ("object", .text(event.objectName)), ("run", .text(event.run)),
                        ("reason", data?["reason"]), ("exitCode", data?["exitCode"]), ("signal", data?["signal"]),
                    ])))
            if lines.count > 2 * Self.eventsMax { lines.removeFirst(Self.eventsMax) }
            return true
        }
        if !response.isSuccess { throw session.problem(response) }
        return lines.suffix(Self.eventsMax).joined(separator: "\n")
    }

    /// The last lines that the daemon has written, in its own file or to its service manager.
    private func log() throws -> String {
        let path = "\(paths.state)/daemon.log"
        if LocalFile.exists(path) { return Self.lastLines(try Self.end(of: path)) }
        guard let supervisor = try? Assembly.supervisorPath() else { throw CommandProblem(.failure, "there is none") }
        let unit = getuid() == 0 ? ["--unit=agentos.service"] : ["--user", "--unit=agentos.service"]
        let events = EventLoop()
        var result: ChildProgram.Result?
        ChildProgram.run(
            ["/usr/bin/journalctl", "--no-pager", "--output=cat", "--lines=\(Self.logLinesMax)"] + unit,
            environment: [], timeoutMs: 10_000, supervisor: supervisor, events: events
        ) {
            result = $0
            events.stop()
        }
        events.run()
        guard let result, result.end == .exited(0) else {
            throw CommandProblem(.failure, "no \(path), and the journal: \(result?.complaint ?? "does not answer")")
        }
        return Self.lastLines(result.output)
    }

    private static func end(of path: String) throws -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw CommandProblem(.failure, String(cString: strerror(errno))) }
        defer { close(fd) }
        let size = lseek(fd, 0, SEEK_END)
        lseek(fd, max(0, size - off_t(logBytesMax)), SEEK_SET)
        var bytes = [UInt8](repeating: 0, count: logBytesMax)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes {
                Glibc.read(fd, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            if more <= 0 { break }
            count += more
        }
        return Array(bytes.prefix(count))
    }

    private static func lastLines(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(logLinesMax).joined(separator: "\n")
    }
}
