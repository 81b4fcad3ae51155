import CCurl
import CLinux
import Glibc
import Values

/// One curl handle and what it receives.
final class Transfer {
    /// Takes the content of a successful answer as it comes.
    final class Sink {
        private let take: (UnsafeRawBufferPointer) throws -> Bool
        private(set) var problem: (any Error)?
        private(set) var isStopped = false

        init(_ take: @escaping (UnsafeRawBufferPointer) throws -> Bool) { self.take = take }

        fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
            do { isStopped = try !take(bytes) } catch { problem = error }
            return !isStopped && problem == nil
        }
    }

    /// The longest answer that is kept whole; lists are read as they come.
    private static let answerBytesMax = 256 << 20

    let handle: UnsafeMutableRawPointer
    private var response = Client.Response()
    private var sink: Sink?
    private var timeoutMs: Int64?
    private var isTooLarge = false
    private var hasNews = false
    private var list: UnsafeMutablePointer<curl_slist>?

    /// What the library says of the last problem.
    private let words = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var isEnded = false

    init() {
        guard let handle = curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
        words[0] = 0
    }

    deinit { end() }

    /// Closes the connection and gives back all memory; nothing else may be called then.
    func end() {
        if isEnded { return }
        isEnded = true
        curl_slist_free_all(list)
        curl_easy_cleanup(handle)
        words.deallocate()
    }

    /// True when bytes have come since the last call.
    func takeNews() -> Bool {
        defer { hasNews = false }
        return hasNews
    }

    func prepare(_ request: Client.Request, _ endpoint: Endpoint, sink: Sink?) {
        response = Client.Response()
        self.sink = sink
        timeoutMs = request.timeoutMs
        isTooLarge = false
        curl_easy_reset(handle)
        curl_slist_free_all(list)
        list = nil
        let query = request.query.map { "\($0.0)=\(Percent.encode($0.1))" }.joined(separator: "&")
        let target = "\(request.path)\(query.isEmpty ? "" : "?\(query)")"
        var headers = request.headers + ["Expect:"]
        switch endpoint {
        case .socket(let path):
            _ = agentos_curl_string(handle, CURLOPT_UNIX_SOCKET_PATH, path)
            _ = agentos_curl_string(handle, CURLOPT_URL, "http://localhost\(target)")
        case .server(let server):
            _ = agentos_curl_string(handle, CURLOPT_URL, server.url + target)
            secure(server)
            headers += server.headers
        }
        // A name may be "..": it is sent as it is, and refused.
        _ = agentos_curl_long(handle, CURLOPT_PATH_AS_IS, 1)
        for header in headers { list = curl_slist_append(list, header) }
        _ = agentos_curl_pointer(handle, CURLOPT_ERRORBUFFER, words)
        _ = agentos_curl_long(handle, CURLOPT_NOSIGNAL, 1)
        if let timeoutMs { _ = agentos_curl_long(handle, CURLOPT_TIMEOUT_MS, Int(max(1, timeoutMs))) }
        if let body = request.body {
            _ = agentos_curl_long(handle, CURLOPT_POSTFIELDSIZE, body.count)
            // Copied by curl, so that the array need not outlive this call.
            body.withUnsafeBytes { bytes in
                _ = agentos_curl_string(
                    handle, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
            }
        }
        _ = agentos_curl_string(handle, CURLOPT_CUSTOMREQUEST, request.method)
        _ = agentos_curl_pointer(handle, CURLOPT_HTTPHEADER, list)
        let user = Unmanaged.passUnretained(self).toOpaque()
        _ = agentos_curl_writer(
            handle,
            { data, size, count, user in
                let transfer = Unmanaged<Transfer>.fromOpaque(user!).takeUnretainedValue()
                return transfer.receive(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
            }, user)
        _ = agentos_curl_headers(
            handle,
            { data, size, count, user in
                let text = String(decoding: UnsafeRawBufferPointer(start: data, count: size * count), as: UTF8.self)
                Unmanaged<Transfer>.fromOpaque(user!).takeUnretainedValue().header(text)
                return size * count
            }, user)
    }

    /// A connection to a server that is to leave HTTP: only its beginning is the library's.
    init(connectingTo server: RemoteDaemon, timeoutMs: Int64) throws(Client.Failure) {
        guard let handle = curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
        words[0] = 0
        _ = agentos_curl_string(handle, CURLOPT_URL, server.url)
        _ = agentos_curl_pointer(handle, CURLOPT_ERRORBUFFER, words)
        _ = agentos_curl_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = agentos_curl_long(handle, CURLOPT_CONNECT_ONLY, 1)
        _ = agentos_curl_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(timeoutMs))
        secure(server)
        self.timeoutMs = timeoutMs
        _ = try finish(curl_easy_perform(handle), .server(server)).get()
    }

    /// Its socket, to wait for.
    var descriptor: Int32 { agentos_curl_socket(handle) }

    /// - Returns: how many bytes were taken, 0 when none can be now; nil: the connection is over.
    func send(_ bytes: ArraySlice<UInt8>) -> Int? {
        var count = 0
        let code = bytes.withUnsafeBytes { curl_easy_send(handle, $0.baseAddress, $0.count, &count) }
        return code == CURLE_OK ? count : code == CURLE_AGAIN ? 0 : nil
    }

    /// - Returns: how many bytes have come, 0 when there are none yet; nil: the connection is over.
    func receive(into chunk: inout [UInt8]) -> Int? {
        var count = 0
        let code = chunk.withUnsafeMutableBytes { curl_easy_recv(handle, $0.baseAddress, $0.count, &count) }
        return code == CURLE_OK && count > 0 ? count : code == CURLE_AGAIN ? 0 : nil
    }

    /// Whom a connection trusts, and who asks. Nobody stands between: proxies of the environment are not asked.
    private func secure(_ server: RemoteDaemon) {
        func give(_ option: CURLoption, _ bytes: [UInt8]) {
            _ = bytes.withUnsafeBytes { agentos_curl_blob(handle, option, $0.baseAddress, $0.count) }
        }
        _ = agentos_curl_string(handle, CURLOPT_PROXY, "")
        _ = agentos_curl_string(handle, CURLOPT_PROTOCOLS_STR, "https")
        _ = agentos_curl_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        _ = agentos_curl_long(handle, CURLOPT_SSL_VERIFYPEER, 1)
        _ = agentos_curl_long(handle, CURLOPT_SSL_VERIFYHOST, 2)
        if let trusted = server.trusted {
            // Nobody else: not those whom this machine trusts for the web.
            _ = agentos_curl_string(handle, CURLOPT_CAPATH, nil)
            give(CURLOPT_CAINFO_BLOB, trusted)
        }
        if let certificate = server.certificate, let key = server.key {
            give(CURLOPT_SSLCERT_BLOB, certificate)
            give(CURLOPT_SSLKEY_BLOB, key)
        }
    }

    private func header(_ text: String) {
        hasNews = true
        guard let colon = text.firstIndex(of: ":") else { return }
        let value = text[text.index(after: colon)...].filter { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }
        response.headers[text[..<colon].lowercased()] = String(value.drop { $0 == " " })
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        hasNews = true
        if let sink, (200..<300).contains(agentos_curl_status(handle)) { return sink.receive(bytes) }
        guard response.body.count + bytes.count <= Self.answerBytesMax else {
            isTooLarge = true
            return false
        }
        response.body.append(contentsOf: bytes)
        return true
    }

    func finish(_ code: CURLcode, _ endpoint: Endpoint) -> Result<Client.Response, Client.Failure> {
        response.status = agentos_curl_status(handle)
        switch code {
        case CURLE_OK: return .success(response)
        case CURLE_WRITE_ERROR where isTooLarge: return .failure(.tooLarge(bytesMax: Self.answerBytesMax))
        case CURLE_WRITE_ERROR where sink?.isStopped == true: return .success(response)
        case CURLE_OPERATION_TIMEDOUT: return .failure(.late(afterMs: timeoutMs ?? 0))
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST:
            switch endpoint {
            case .socket(let path): return .failure(Client.refusal(path))
            case .server: return .failure(.absent(why(code)))
            }
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CONNECT_ERROR:
            return .failure(.untrusted(why(code)))
        default: return .failure(.cut(why(code)))
        }
    }

    private func why(_ code: CURLcode) -> String {
        words[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: words)
    }
}

extension Client {
    /// Why nobody could be reached: curl does not say.
    package static func refusal(_ socket: String) -> Failure {
        let fd = agentos_connect_unix(socket)
        if fd >= 0 {
            close(fd)
            return .cut("the connection was refused once")
        }
        let why = String(cString: strerror(errno))
        switch errno {
        case EAGAIN: return .silent(afterMs: 0)
        case EACCES, EPERM: return .forbidden(why)
        default: return .absent(why)
        }
    }
}
