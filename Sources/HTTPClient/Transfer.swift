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

    init() {
        guard let handle = curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
    }

    deinit {
        curl_slist_free_all(list)
        curl_easy_cleanup(handle)
    }

    /// True when bytes have come since the last call.
    func takeNews() -> Bool {
        defer { hasNews = false }
        return hasNews
    }

    func prepare(_ request: Client.Request, socket: String, sink: Sink?) {
        response = Client.Response()
        self.sink = sink
        timeoutMs = request.timeoutMs
        isTooLarge = false
        curl_easy_reset(handle)
        curl_slist_free_all(list)
        list = nil
        for header in request.headers + ["Expect:"] { list = curl_slist_append(list, header) }
        let query = request.query.map { "\($0.0)=\(Percent.encode($0.1))" }.joined(separator: "&")
        let url = "http://localhost\(request.path)\(query.isEmpty ? "" : "?\(query)")"
        _ = agentos_curl_string(handle, CURLOPT_UNIX_SOCKET_PATH, socket)
        _ = agentos_curl_string(handle, CURLOPT_URL, url)
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

    func finish(_ code: CURLcode, socket: String) -> Result<Client.Response, Client.Failure> {
        response.status = agentos_curl_status(handle)
        switch code {
        case CURLE_OK: return .success(response)
        case CURLE_WRITE_ERROR where isTooLarge: return .failure(.tooLarge(bytesMax: Self.answerBytesMax))
        case CURLE_WRITE_ERROR where sink?.isStopped == true: return .success(response)
        case CURLE_OPERATION_TIMEDOUT: return .failure(.late(afterMs: timeoutMs ?? 0))
        case CURLE_COULDNT_CONNECT: return .failure(Client.refusal(socket))
        default: return .failure(.cut(String(cString: curl_easy_strerror(code))))
        }
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
