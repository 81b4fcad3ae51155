import CNATS
import Glibc
import Machine
import Reconciler
import Values

/// A connection to one of several servers. The library keeps it up by itself: it reconnects with jitter, to any of them.
final class NATSConnection {
    private let settings: NATSSettings
    let connection: OpaquePointer
    let stream: OpaquePointer

    private init(_ settings: NATSSettings, _ connection: OpaquePointer, _ stream: OpaquePointer) {
        self.settings = settings
        self.connection = connection
        self.stream = stream
    }

    deinit {
        forget()
        // Waits for threads of the library, one of which may be connecting: whoever lets go of it does not. Where there is no
        // thread for that, it stays until the process ends.
        let (connection, stream) = (UInt(bitPattern: connection), UInt(bitPattern: stream))
        _ = tryThread(name: "nats-end") {
            agentos_jsCtx_Destroy(OpaquePointer(bitPattern: stream))
            agentos_natsConnection_Destroy(OpaquePointer(bitPattern: connection))
        }
    }

    /// Before the first message libnats 3.4 has no list of them, and would fall over asking for it.
    var hasPublished = false

    private static let flushMsMax: Int64 = 5000

    /// Sends what was published, at once and together; when this returns, the server has seen it. What becomes of it is told
    /// by the acknowledgements.
    func flush() { agentos_natsConnection_FlushTimeout(connection, min(settings.timeoutMs, Self.flushMsMax)) }

    /// Waits for no acknowledgement any more.
    func forget() { if hasPublished { agentos_nats_forget(stream) } }

    var isConnected: Bool { agentos_natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED }

    /// Bytes that a message may have, as the server says.
    var payloadMax: Int64 { agentos_natsConnection_GetMaxPayload(connection) }

    /// It will not come back by itself: the servers have refused the credentials, for one.
    var isClosed: Bool { agentos_natsConnection_IsClosed(connection) }

    /// What has become of it, in words.
    var words: String {
        var text: UnsafePointer<CChar>?
        agentos_natsConnection_GetLastError(connection, &text)
        let words = text.map { String(cString: $0) } ?? ""
        return words.isEmpty ? "" : ": \(words)"
    }

    // MARK: Opening

    private static let reconnectMs: Int64 = 500
    private static let pingMs: Int64 = 10_000

    /// Connects to one of the servers, within the time for connecting to each of them.
    static func open(_ settings: NATSSettings, _ signals: NATSSignals) throws(SinkFailure) -> NATSConnection {
        if let problem = agentos_nats_problem() { throw .lost("NATS cannot be used: \(String(cString: problem))") }
        var options: OpaquePointer?
        guard agentos_natsOptions_Create(&options) == NATS_OK, let options else {
            throw .lost("libnats has no memory for a connection")
        }
        defer { agentos_natsOptions_Destroy(options) }
        try setUp(options, settings, signals)
        try authenticate(options, settings)
        try secure(options, settings)
        var connection: OpaquePointer?
        let status = agentos_natsConnection_Connect(&connection, options)
        guard status == NATS_OK, let connection else {
            throw .lost("no server of \(settings.servers.joined(separator: ", ")) can be used: \(reason(status))")
        }
        var stream: OpaquePointer?
        let made = agentos_nats_jetstream(
            &stream, connection, Int64(settings.window) + 1, settings.timeoutMs, NATSSignals.acknowledged,
            signals.closure)
        guard made == NATS_OK, let stream else {
            agentos_natsConnection_Destroy(connection)
            throw .lost("JetStream cannot be used: \(reason(made))")
        }
        return NATSConnection(settings, connection, stream)
    }

    private static func setUp(
        _ options: OpaquePointer, _ settings: NATSSettings, _ signals: NATSSignals
    ) throws(SinkFailure) {
        let servers = settings.servers.map { strdup($0) }
        defer { for server in servers { free(server) } }
        var pointers: [UnsafePointer<CChar>?] = servers.map { UnsafePointer($0) }
        try check("servers", agentos_natsOptions_SetServers(options, &pointers, Int32(pointers.count)))
        agentos_natsOptions_SetName(options, "agentos-apply")
        agentos_natsOptions_SetTimeout(options, settings.connectTimeoutMs)
        agentos_natsOptions_SetAllowReconnect(options, true)
        agentos_natsOptions_SetMaxReconnect(options, -1)
        agentos_natsOptions_SetReconnectWait(options, reconnectMs)
        agentos_natsOptions_SetReconnectJitter(options, reconnectMs, 2 * reconnectMs)
        // A server that says nothing is given up.
        agentos_natsOptions_SetPingInterval(options, pingMs)
        agentos_natsOptions_SetMaxPingsOut(options, 2)
        agentos_natsOptions_SetWriteDeadline(options, settings.timeoutMs)
        agentos_natsOptions_SetFailRequestsOnDisconnect(options, true)
        agentos_natsOptions_SetDisconnectedCB(options, NATSSignals.disconnected, signals.closure)
        agentos_natsOptions_SetReconnectedCB(options, NATSSignals.reconnected, signals.closure)
        agentos_natsOptions_SetErrorHandler(options, NATSSignals.failed, signals.closure)
    }

    private static func authenticate(_ options: OpaquePointer, _ settings: NATSSettings) throws(SinkFailure) {
        if let file = settings.credentialsFile {
            _ = try secret(file, "credentialsFile")
            try check("credentialsFile", agentos_natsOptions_SetUserCredentialsFromFiles(options, file, nil))
        }
        if let key = settings.nkey, let file = settings.nkeySeedFile {
            _ = try secret(file, "nkeySeedFile")
            try check("nkey", agentos_natsOptions_SetNKeyFromSeed(options, key, file))
        }
        if let file = settings.userFile {
            let text = String(decoding: try secret(file, "userFile"), as: UTF8.self)
            let line = text.prefix { !$0.isNewline }
            guard let colon = line.firstIndex(of: ":"), text.dropFirst(line.count).allSatisfy(\.isNewline) else {
                throw .lost("the userFile \(file) must hold one line, USER:PASSWORD")
            }
            let (user, password) = (String(line[..<colon]), String(line[line.index(after: colon)...]))
            try check("userFile", agentos_natsOptions_SetUserInfo(options, user, password))
        }
    }

    private static func secret(_ path: String, _ name: String) throws(SinkFailure) -> [UInt8] {
        do throws(Files.Problem) { return try Files.secret(path, limit: 64 << 10) } catch {
            throw .lost("the \(name) \(error.words)")
        }
    }

    private static func secure(_ options: OpaquePointer, _ settings: NATSSettings) throws(SinkFailure) {
        guard settings.isSecure else { return }
        try check("TLS", agentos_natsOptions_SetSecure(options, true))
        if let file = settings.authorityFile {
            try check("caFile \(file)", agentos_natsOptions_LoadCATrustedCertificates(options, file))
        }
        if let certificate = settings.certificateFile, let key = settings.keyFile {
            _ = try secret(key, "keyFile")
            try check("certFile \(certificate)", agentos_natsOptions_LoadCertificatesChain(options, certificate, key))
        }
    }

    private static func check(_ what: String, _ status: natsStatus) throws(SinkFailure) {
        guard status == NATS_OK else { throw .lost("\(what): \(reason(status))") }
    }

    static func reason(_ status: natsStatus) -> String { String(cString: agentos_natsStatus_GetText(status)) }
}
