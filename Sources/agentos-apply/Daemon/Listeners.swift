import API
import CLinux
import Glibc
import HTTP
import Machine
import Values

/// The daemon's listeners over TLS: their certificates, kept good while it runs.
final class Listeners {
    let listening: Listening
    private let front: TLSFront
    private let settings: Settings
    private let authority: Authority
    private let names: [String]
    private let log: Log
    private var used: TLSSettings

    /// Opens all addresses of the settings; nil when there are none.
    init?(_ settings: Settings, _ paths: Paths, _ log: Log) throws {
        let wanted = settings.listen.compactMap(ListenAddress.init)
        guard !wanted.isEmpty else { return nil }
        self.settings = settings
        self.log = log
        authority = try Self.authority("\(paths.state)/pki")
        var opened: [(fd: Int32, address: ListenAddress)] = []
        for address in wanted {
            guard let listener = address.listen() else {
                throw CommandProblem(
                    .failure, "cannot listen on \(address.text): \(String(cString: strerror(errno)))")
            }
            opened.append(listener)
        }
        names = Self.names(opened.map(\.address))
        used = try Self.settings(settings, authority, names)
        do throws(TLSProblem) {
            front = try TLSFront(listening: opened.map(\.fd), settings: used)
        } catch {
            throw CommandProblem(.failure, "TLS cannot be served: \(error.words)")
        }
        let first = opened[0].address
        let place = first.isWildcard ? "127.0.0.1:\(first.port)" : first.text
        let own = settings.tlsCertificateFile == nil
        listening = Listening(
            server: "https://\(place)",
            trusted: own ? authority.credential.certificate : used.identity.certificate, authority: authority)
        log.info("daemon listens", [("addresses", opened.map(\.address.text).joined(separator: " "))])
    }

    func start(_ server: Server, _ events: EventLoop) {
        server.listening = listening
        server.serve(front)
        renew(events)
    }

    func close() { front.close() }

    private static let checkMs: Int64 = 60_000
    private static let yearSeconds: Int64 = 365 * 86_400
    private static let serverSeconds: Int64 = 90 * 86_400
    private static let renewSeconds: Int64 = 30 * 86_400

    /// Looks from time to time whether the own certificate ends, or the files of another have changed.
    private func renew(_ events: EventLoop) {
        events.after(ms: Self.checkMs) { [self] in
            let end = used.identity.endSeconds ?? 0
            let isOwn = settings.tlsCertificateFile == nil
            if !isOwn || settings.clientAuthorityFile != nil || end - agentos_wall_ms() / 1000 < Self.renewSeconds {
                do {
                    var next = try Self.settings(settings, authority, names)
                    if isOwn, end - agentos_wall_ms() / 1000 >= Self.renewSeconds { next.identity = used.identity }
                    if next != used { take(next) }
                } catch {
                    log.error("the certificate cannot be renewed", [("error", "\(error)")])
                }
            }
            renew(events)
        }
    }

    private func take(_ next: TLSSettings) {
        if let problem = next.problem {
            return log.error("the new certificate cannot be used", [("error", problem.words)])
        }
        used = next
        front.use(next)
        log.info("the certificate was renewed", [])
    }

    // MARK: Certificates

    private static func settings(
        _ settings: Settings, _ authority: Authority, _ names: [String]
    ) throws -> TLSSettings {
        var identity: Credential
        if let certificate = settings.tlsCertificateFile, let key = settings.tlsPrivateKeyFile {
            identity = Credential(certificate: try text(certificate), key: try text(key))
        } else if let made = authority.issue(.server(names: names), seconds: serverSeconds) {
            identity = made
            identity.certificate += authority.credential.certificate
        } else {
            throw CommandProblem(.failure, "no certificate can be made for \(names.joined(separator: ", "))")
        }
        let more = try settings.clientAuthorityFile.map { [try text($0)] } ?? []
        return TLSSettings(identity: identity, clientAuthorities: [authority.credential.certificate] + more)
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try LocalFile.read(path, limit: Limits.pemBytesMax), as: UTF8.self)
    }

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

    /// The daemon's own authority, made once and kept in the state directory.
    private static func authority(_ directory: String) throws -> Authority {
        try LocalFile.makePath(directory)
        chmod(directory, 0o700)
        let (certificate, key) = ("\(directory)/authority.crt", "\(directory)/authority.key")
        if LocalFile.exists(certificate), LocalFile.exists(key) {
            let kept = Credential(certificate: try text(certificate), key: try text(key))
            guard let authority = Authority(kept) else {
                throw CommandProblem(
                    .failure,
                    "\(directory) holds no authority that can sign; restore it, or remove it to make a new one")
            }
            return authority
        }
        guard let made = Authority.make("agentos-apply", seconds: 10 * yearSeconds) else {
            throw CommandProblem(.failure, "no authority can be made")
        }
        // The certificate comes last: without it the pair is made again.
        for (text, path) in [(made.credential.key, key), (made.credential.certificate, certificate)] {
            try LocalFile.write(text, to: "\(path).new")
            guard rename("\(path).new", path) == 0 else {
                throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
            }
        }
        return made
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
