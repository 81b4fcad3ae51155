import CLinux
import Glibc
package import HTTPClient
import Manifests
import Values

/// What the verbs share: the client, and what each of its failures means for a person.
struct Session {
    let client: Client
    let endpoint: Endpoint
    /// Of a daemon of this machine, the process that holds its state; nil: it is another machine's.
    private let holder: (() -> Int32?)?
    /// Whether a process that lives holds the state of this machine's daemon.
    private let isHeld: () -> Bool
    /// Whether another daemon takes that one's place now.
    private let isReplaced: () -> Bool

    init(_ paths: Paths, patience: Client.Patience = Client.Patience()) {
        endpoint = .socket(paths.socket)
        holder = { LockHolder.pid(paths) }
        isReplaced = { Replacement.isUnderWay(paths) }
        isHeld = { LockHolder.find(paths)?.isAlive == true || Replacement.isUnderWay(paths) }
        client = Client(endpoint, patience: patience, isArriving: isHeld)
    }

    var isOfThisMachine: Bool { holder != nil }

    /// A daemon that listens for others.
    init(_ server: RemoteDaemon) {
        endpoint = .server(server)
        holder = nil
        isHeld = { false }
        isReplaced = { false }
        client = Client(endpoint)
    }

    /// The same daemon again, for another thread.
    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
        holder = nil
        isHeld = { false }
        isReplaced = { false }
        client = Client(endpoint)
    }

    /// Whether a daemon serves the socket. That somebody listens is not enough: the socket of one that was killed is open
    /// a moment longer.
    enum Presence: Equatable {
        case alive
        case absent
        /// Somebody listens, and no other daemon can be started beside it.
        case unusable(CommandProblem)
    }

    /// The same, when a daemon that is about to listen, or takes the place of another, has had its time to do so.
    var settledPresence: Presence {
        let sinceMs = agentos_boot_ms()
        while true {
            let now = presence
            let waitedMs = agentos_boot_ms() - sinceMs
            switch now {
            case .alive: return now
            case .absent: guard isHeld(), waitedMs < Client.Patience().arrivalMs else { return now }
            case .unusable: guard isReplaced(), waitedMs < BackgroundDaemon.replacingMs else { return now }
            }
            usleep(20_000)
        }
    }

    /// Long for a daemon that lives, also on a machine with other work.
    private static let presenceMs: Int64 = 10_000

    var presence: Presence {
        switch endpoint {
        case .socket(let path):
            let fd = agentos_connect_unix(path)
            if fd >= 0 { close(fd) }
            if fd < 0, errno == ENOENT || errno == ECONNREFUSED { return .absent }
        case .server: break
        }
        var request = Client.Request("GET", "/livez")
        request.timeoutMs = Self.presenceMs
        do throws(Client.Failure) {
            return try client.send(request).isSuccess ? .alive : .absent
        } catch {
            switch error {
            case .late(let ms): return .unusable(problem(.silent(afterMs: ms)))
            case .silent, .forbidden, .untrusted, .unable: return .unusable(problem(error))
            case .absent, .cut, .tooLarge, .notUnderstood: return .absent
            }
        }
    }

    /// Sends one request; throws what an answer that is no success means for the command.
    func send(_ request: Client.Request) throws -> Client.Response {
        let response = try answer(request)
        if !response.isSuccess { throw problem(response) }
        return response
    }

    /// The answer to a request, whatever the daemon says in it.
    func answer(_ request: Client.Request) throws -> Client.Response {
        do throws(Client.Failure) { return try client.send(request) } catch { throw problem(error) }
    }

    /// The answer to a request as JSON.
    func node(_ method: String, _ path: String, query: [(String, String)] = [], body: [UInt8]? = nil) throws -> Node {
        let response = try send(Client.Request(method, path, query: query, body: body))
        return try self.node(response)
    }

    func node(_ response: Client.Response) throws -> Node {
        do throws(Client.Failure) { return try Answer.node(response.body) } catch { throw problem(error) }
    }

    // MARK: Problems

    func problem(_ response: Client.Response) -> CommandProblem {
        var message =
            (try? Answer.node(response.body))?["message"]?.string ?? String(decoding: response.body, as: UTF8.self)
        if response.status == 401, case .server(let server) = endpoint {
            message +=
                ": \(server.url) does not know the user of \(server.place), or no more; get a new kubeconfig or token"
        }
        return CommandProblem(ExitCode(status: response.status), message)
    }

    func problem(_ failure: Client.Failure) -> CommandProblem {
        // The socket of a daemon that was killed is open a moment longer: only its answer tells.
        if case .cut(let why) = failure, isOfThisMachine, presence == .absent {
            return CommandProblem(
                .noDaemon, "the daemon at \(endpoint.name) went away before its answer was complete: \(why)")
        }
        return CommandProblem(failure, endpoint, holder: holder?())
    }

    static func path(_ kind: Kind, namespace: String?, name: String? = nil) -> String {
        let base = kind.group.isEmpty ? "/api/v1" : "/apis/\(kind.group)/\(kind.version)"
        let place = kind.isNamespaced ? namespace.map { "/namespaces/\(Percent.encode($0))" } ?? "" : ""
        return "\(base)\(place)/\(kind.resource)\(name.map { "/\(Percent.encode($0))" } ?? "")"
    }
}

extension CommandProblem {
    /// What a failure means for a person, and the code it ends with.
    package init(_ failure: Client.Failure, _ endpoint: Endpoint, holder: Int32? = nil) {
        let name = endpoint.name
        switch failure {
        case .absent(let why):
            self.init(.noDaemon, "no daemon answers at \(name) (\(why))\n\(endpoint.whenAbsent)")
        case .forbidden(let why):
            self.init(.failure, "the daemon at \(name) may not be spoken to: \(why); it serves its own user and root")
        case .unable(let why): self.init(.failure, "this program cannot speak to \(name): \(why)")
        case .untrusted(let why): self.init(.failure, "no trust with \(name): \(why)\(endpoint.whenUntrusted)")
        case .silent(let ms):
            let who = holder.map { " with pid \($0)" } ?? ""
            let since = ms > 0 ? "has said nothing for \(ms / 1000) s" : "takes no connection"
            self.init(
                .timeout, "the daemon\(who) at \(name) \(since): it is stopped, or has more to do than it can")
        case .late(let ms): self.init(.timeout, "the daemon did not answer within \(ms / 1000) s; it is alive")
        case .cut(let why):
            self.init(.failure, "the answer of the daemon is not complete: \(why)\(endpoint.whenUntrusted)")
        case .tooLarge(let bytesMax):
            self.init(.failure, "the answer of the daemon is larger than \(bytesMax >> 20) MiB, the most that is read")
        case .notUnderstood(let why): self.init(.failure, "the answer of the daemon is not understood: \(why)")
        }
    }
}

extension Endpoint {
    /// What to do when nobody answers there.
    fileprivate var whenAbsent: String {
        switch self {
        case .socket: "Start one with 'agentos-apply daemon start'."
        case .server(let server):
            "\(server.place) says that it is there; a daemon listens for others when --listen says so."
        }
    }

    /// What to look at when there is no trust. A server that does not take a certificate ends the connection.
    fileprivate var whenUntrusted: String {
        switch self {
        case .socket: ""
        case .server(let server):
            "\n\(server.place) says whom to trust, and who asks; 'agentos-apply kubeconfig' on its machine prints a new one."
        }
    }
}

/// The process that holds the lock of a state directory, as it has written into it.
struct LockHolder {
    let pid: Int32
    /// A service manager has started it.
    let isManaged: Bool

    static func find(_ paths: Paths) -> LockHolder? {
        guard let bytes = try? LocalFile.read("\(paths.state)/lock", limit: 64) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        // Other numbers name groups of processes, or all.
        guard let pid = Int32(text.prefix { $0.isNumber }), pid > 1 else { return nil }
        return LockHolder(pid: pid, isManaged: text.contains("managed"))
    }

    var isAlive: Bool {
        var state = CChar(0)
        return agentos_process_start(pid, &state, nil) != 0 && UInt8(bitPattern: state) != UInt8(ascii: "Z")
    }

    static func text(pid: Int32, isManaged: Bool) -> String { "\(pid)\n\(isManaged ? "managed\n" : "")" }

    static func pid(_ paths: Paths) -> Int32? { find(paths)?.pid }
}
