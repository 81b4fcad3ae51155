import API
import CLinux
import Glibc
package import HTTP
import Machine
import Values

/// The daemon's listeners over TLS: their certificates, kept good while it runs.
final class Listeners {
    private let front: TLSFront
    private var certificates: Certificates
    /// Counts how often other certificates were told: what was read of those before is too late.
    private var generation = 0
    private let authority: Authority
    private let names: [String]
    /// `https://127.0.0.1:6443`.
    private let address: String
    private let log: Log
    private var used: TLSSettings

    /// Opens all addresses of the settings; nil when there are none.
    init?(_ settings: Settings, _ paths: Paths, _ log: Log) throws {
        let wanted = settings.listen.compactMap(ListenAddress.init)
        guard !wanted.isEmpty else { return nil }
        self.log = log.about(.access)
        let authority = try Self.authority(in: KeyDirectory(paths))
        self.authority = authority
        var opened: [(fd: Int32, address: ListenAddress)] = []
        for address in wanted {
            guard let listener = address.listen() else {
                throw CommandProblem(
                    .failure, "cannot listen on \(address.text): \(String(cString: strerror(errno)))")
            }
            opened.append(listener)
        }
        names = Self.names(opened.map(\.address))
        certificates = Self.certificates(settings, authority, names)
        used = try certificates.settings(after: nil, nowSeconds: agentos_wall_ms() / 1000)
        do throws(TLSProblem) {
            front = try TLSFront(listening: opened.map(\.fd), settings: used)
        } catch {
            throw CommandProblem(.failure, "TLS cannot be served: \(error.words)")
        }
        let first = opened[0].address
        address = "https://\(first.isWildcard ? "127.0.0.1:\(first.port)" : first.text)"
        log.info("daemon listens", [("addresses", opened.map(\.address.text).joined(separator: " "))])
    }

    private static func certificates(
        _ settings: Settings, _ authority: Authority, _ names: [String]
    ) -> Certificates {
        var identity = Certificates.Identity.own(trusted: authority.credential.certificate) {
            authority.issue(.server(names: names), seconds: Certificates.secondsMax)
        }
        if let certificate = settings.tlsCertificateFile, let key = settings.tlsPrivateKeyFile {
            identity = .files(certificate: certificate, key: key)
        }
        return Certificates(
            identity, authorities: [authority.credential.certificate], authorityFile: settings.clientAuthorityFile)
    }

    /// Reads the files that a start with these settings reads.
    static func check(_ settings: Settings, _ paths: Paths) throws(CommandProblem) {
        let wanted = settings.listen.compactMap(ListenAddress.init)
        if wanted.isEmpty { return }
        let authority = try authority(in: KeyDirectory(paths))
        _ = try shown(certificates(settings, authority, names(wanted)), after: nil)
    }

    private static func shown(
        _ certificates: Certificates, after used: TLSSettings?
    ) throws(CommandProblem) -> TLSSettings {
        let shown = try certificates.settings(after: used, nowSeconds: agentos_wall_ms() / 1000)
        if let problem = shown.problem { throw CommandProblem(.failure, problem.words) }
        return shown
    }

    /// What other settings come to.
    struct Prepared: Sendable {
        fileprivate var certificates: Certificates
        fileprivate var shown: TLSSettings
        fileprivate var keepsIdentity: Bool
    }

    /// Reads the files of other settings, before they are taken; may be called on any thread.
    func preparing() -> @Sendable (Settings) throws(CommandProblem) -> Prepared {
        { [authority, names, used, wasOwn = certificates.isOwn] (next: Settings) throws(CommandProblem) in
            let certificates = Self.certificates(next, authority, names)
            // The daemon's own certificate stays; the one of a file does not.
            let isKept = wasOwn && certificates.isOwn
            let shown = try Self.shown(certificates, after: isKept ? used : nil)
            return Prepared(certificates: certificates, shown: shown, keepsIdentity: isKept)
        }
    }

    func use(_ next: Prepared, _ server: Server) {
        generation += 1
        certificates = next.certificates
        take(.success(next.shown.replacing(used, keepsIdentity: next.keepsIdentity)), server)
    }

    func start(_ server: Server, _ events: EventLoop) {
        server.listening = listening
        server.serve(front)
        renew(server, events, SideWork(name: "certificates", events: events))
    }

    func close() { front.close() }

    /// What clients are told now.
    private var listening: Listening {
        Listening(server: address, trusted: certificates.trusted(used), authority: authority)
    }

    private static let checkMs: Int64 = 5000
    private static let yearSeconds: Int64 = 365 * 86_400

    /// Looks from time to time whether the own certificate ends, or the files of another have changed.
    private func renew(_ server: Server, _ events: EventLoop, _ work: SideWork) {
        events.after(ms: Self.checkMs) { [self] in
            let before = generation
            work.run { [certificates, used] () -> Result<TLSSettings, CommandProblem> in
                do throws(CommandProblem) {
                    let next = try certificates.settings(after: used, nowSeconds: agentos_wall_ms() / 1000)
                    if next != used, let problem = next.problem { throw CommandProblem(.failure, problem.words) }
                    return .success(next)
                } catch { return .failure(error) }
            } then: { [self] next in
                if before == generation { take(next, server) }
                renew(server, events, work)
            }
        }
    }

    private var told: CommandProblem?

    private func take(_ next: Result<TLSSettings, CommandProblem>, _ server: Server) {
        switch next {
        case .failure(let problem):
            if problem != told { log.error("the certificate cannot be renewed", [("error", problem.message)]) }
            told = problem
        case .success(let next):
            told = nil
            if next == used { return }
            used = next
            front.use(next)
            server.listening = listening
            log.info("the certificate was renewed", [])
        }
    }

    // MARK: Certificates

    /// By what names clients reach this machine.
    private static func names(_ addresses: [ListenAddress]) -> [String] {
        var host = [CChar](repeating: 0, count: 256)
        gethostname(&host, host.count - 1)
        let name = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let isPlain =
            !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0)) }
        let numbers =
            Set(ListenAddress.ofThisMachine() + addresses.filter { !$0.isWildcard }.map(\.address))
            .union(["127.0.0.1", "::1"])
        return (["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] + (isPlain ? [name] : []))
            .map { "DNS:\($0)" } + numbers.sorted().map { "IP:\($0)" }
    }

    /// The daemon's own authority, made once and kept.
    private static func authority(in directory: KeyDirectory) throws(CommandProblem) -> Authority {
        let (certificate, key) = ("authority.crt", "authority.key")
        if let kept = try directory.text(certificate), let keptKey = try directory.text(key) {
            guard let authority = Authority(Credential(certificate: kept, key: keptKey)) else {
                throw CommandProblem(
                    .failure,
                    "\(directory.path) holds no authority that can sign; restore it, or remove it to make a new one")
            }
            return authority
        }
        guard let made = Authority.make("agentos-apply", seconds: 10 * yearSeconds) else {
            throw CommandProblem(.failure, "no authority can be made")
        }
        // The certificate comes last: without it the pair is made again.
        try directory.keep(made.credential.key, as: key)
        try directory.keep(made.credential.certificate, as: certificate)
        return made
    }
}

extension TLSSettings {
    /// What is shown instead of `shown`; the daemon's own certificate stays, also when it was renewed meanwhile.
    package func replacing(_ shown: TLSSettings, keepsIdentity: Bool) -> TLSSettings {
        TLSSettings(identity: keepsIdentity ? shown.identity : identity, clientAuthorities: clientAuthorities)
    }
}

extension TLSProblem {
    fileprivate var words: String {
        switch self {
        case .certificate: "the file of the certificate holds none, or one that cannot be read; expected PEM"
        case .key: "the file of the key holds none that can be read; expected PEM"
        case .encryptedKey: "the key is encrypted; give one without a password, such as `openssl pkey -in KEY` writes"
        case .pair: "the key does not belong to the certificate"
        case .authorities: "the file of client authorities holds no certificate, or one that cannot be read"
        case .noMemory: "there is no memory for it"
        }
    }
}
