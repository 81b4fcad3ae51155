import CCurl

/// A connection over TLS that libcurl makes; after that its bytes are ours.
///
/// Guarantee: the server's certificate and name are verified, and nobody stands between: proxies of the environment are not
/// asked.
final class TLSConnection {
    private let handle: UnsafeMutableRawPointer
    /// What the library says of the last problem.
    private let words = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// - Parameter timeoutMs: for all of it, from the name of the server to the end of the handshake.
    init(_ server: RemoteDaemon, timeoutMs: Int64) throws(Client.Failure) {
        if let problem = agentos_curl_problem() {
            if let full = Client.Failure.noDescriptors { throw full }
            throw .unable(
                "\(String(cString: problem)); install libcurl (Debian and Ubuntu: apt-get install libcurl4 or libcurl4t64)"
            )
        }
        guard let handle = agentos_curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
        words[0] = 0
        _ = agentos_curl_string(handle, CURLOPT_URL, server.url)
        _ = agentos_curl_pointer(handle, CURLOPT_ERRORBUFFER, words)
        _ = agentos_curl_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = agentos_curl_long(handle, CURLOPT_CONNECT_ONLY, 1)
        _ = agentos_curl_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(timeoutMs))
        secure(server)
        let code = agentos_curl_easy_perform(handle)
        if code != CURLE_OK { throw Client.Failure.noDescriptors ?? failure(code, timeoutMs: timeoutMs) }
    }

    deinit {
        agentos_curl_easy_cleanup(handle)
        words.deallocate()
    }

    /// Whom a connection trusts, and who asks.
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

    /// Its socket, to wait for.
    var descriptor: Int32 { agentos_curl_socket(handle) }

    /// - Returns: how many bytes were taken, 0 when none can be now.
    func send(_ bytes: ArraySlice<UInt8>) throws(Client.Failure) -> Int {
        var count = 0
        let code = bytes.withUnsafeBytes { agentos_curl_easy_send(handle, $0.baseAddress, $0.count, &count) }
        if code == CURLE_AGAIN { return 0 }
        if code != CURLE_OK { throw failure(code) }
        return count
    }

    /// - Returns: how many bytes have come, 0 when there are none yet; nil: the server has ended the connection.
    func receive(into chunk: inout [UInt8]) throws(Client.Failure) -> Int? {
        var count = 0
        let code = chunk.withUnsafeMutableBytes { agentos_curl_easy_recv(handle, $0.baseAddress, $0.count, &count) }
        if code == CURLE_AGAIN { return 0 }
        if code != CURLE_OK { throw failure(code) }
        return count > 0 ? count : nil
    }

    private func failure(_ code: CURLcode, timeoutMs: Int64 = 0) -> Client.Failure {
        let why = words[0] == 0 ? String(cString: agentos_curl_easy_strerror(code)) : String(cString: words)
        switch code {
        case CURLE_OPERATION_TIMEDOUT: return .late(afterMs: timeoutMs)
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST: return .absent(why)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CONNECT_ERROR:
            return .untrusted(why)
        default: return .cut(why)
        }
    }
}
