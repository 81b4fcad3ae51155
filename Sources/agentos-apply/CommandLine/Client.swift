import CCurl
import Glibc
import Manifests
import Values

/// Talks to the daemon over its unix socket.
final class Client {
    struct Request {
        var method: String
        var path: String
        var query: [(String, String)] = []
        var headers: [String] = []
        var body: [UInt8]?
    }

    struct Response {
        var status = 0
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        /// The transport failed: nobody answered.
        var failure: String?

        var node: Node? {
            var diagnostics = Diagnostics()
            return JSONReader.read(body, file: "", diagnostics: &diagnostics)
        }

        var isSuccess: Bool { failure == nil && status < 300 }
    }

    let socket: String

    init(socket: String) {
        self.socket = socket
        curl_global_init(Int(CURL_GLOBAL_NOTHING))
    }

    /// Sends one request and reads the whole answer.
    func send(_ request: Request, timeoutMs: Int64 = 60_000) -> Response {
        perform([request], concurrency: 1, timeoutMs: timeoutMs)[0]
    }

    /// Sends requests, several at a time; the answers are in the order of the requests.
    func perform(_ requests: [Request], concurrency: Int = 32, timeoutMs: Int64 = 60_000) -> [Response] {
        var responses = [Response](repeating: Response(), count: requests.count)
        guard let multi = curl_multi_init() else { return responses }
        defer { curl_multi_cleanup(multi) }
        var running: [UnsafeMutableRawPointer: (index: Int, transfer: Transfer)] = [:]
        var idle: [Transfer] = []
        var next = 0
        while next < requests.count || !running.isEmpty {
            while next < requests.count, running.count < concurrency {
                let transfer = idle.popLast() ?? Transfer()
                transfer.prepare(requests[next], socket: socket, timeoutMs: timeoutMs)
                running[transfer.handle] = (next, transfer)
                curl_multi_add_handle(multi, transfer.handle)
                next += 1
            }
            var active: Int32 = 0
            curl_multi_perform(multi, &active)
            var left: Int32 = 0
            while let message = curl_multi_info_read(multi, &left) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                    let (index, transfer) = running.removeValue(forKey: handle)
                else { continue }
                responses[index] = transfer.finish(message.pointee.data.result)
                curl_multi_remove_handle(multi, handle)
                idle.append(transfer)
            }
            if !running.isEmpty { curl_multi_poll(multi, nil, 0, 1000, nil) }
        }
        return responses
    }

    /// Reads an endless answer line by line; `take` returns false to stop.
    ///
    /// - Returns: the response without the lines; `failure` is "timeout" when the time was up.
    func stream(_ request: Request, timeoutMs: Int64?, take: @escaping ([UInt8]) -> Bool) -> Response {
        let transfer = Transfer()
        transfer.take = take
        transfer.prepare(request, socket: socket, timeoutMs: timeoutMs ?? 0)
        let code = curl_easy_perform(transfer.handle)
        if code == CURLE_WRITE_ERROR, transfer.isStopped { return transfer.finish(CURLE_OK) }
        var response = transfer.finish(code)
        if code == CURLE_OPERATION_TIMEDOUT { response.failure = "timeout" }
        return response
    }
}

/// One curl handle and what it receives.
private final class Transfer {
    let handle: UnsafeMutableRawPointer
    var response = Client.Response()
    var take: (([UInt8]) -> Bool)?
    var isStopped = false
    private var line: [UInt8] = []
    private var list: UnsafeMutablePointer<curl_slist>?

    init() {
        handle = curl_easy_init()!
    }

    deinit {
        curl_slist_free_all(list)
        curl_easy_cleanup(handle)
    }

    func prepare(_ request: Client.Request, socket: String, timeoutMs: Int64) {
        response = Client.Response()
        curl_easy_reset(handle)
        curl_slist_free_all(list)
        list = nil
        for header in request.headers + ["Expect:"] { list = curl_slist_append(list, header) }
        let query = request.query.map { "\($0.0)=\(percent($0.1))" }.joined(separator: "&")
        let url = "http://localhost\(request.path)\(query.isEmpty ? "" : "?\(query)")"
        _ = agentos_curl_string(handle, CURLOPT_UNIX_SOCKET_PATH, socket)
        _ = agentos_curl_string(handle, CURLOPT_URL, url)
        _ = agentos_curl_long(handle, CURLOPT_NOSIGNAL, 1)
        if timeoutMs > 0 { _ = agentos_curl_long(handle, CURLOPT_TIMEOUT_MS, Int(timeoutMs)) }
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
        guard let colon = text.firstIndex(of: ":") else { return }
        let value = text[text.index(after: colon)...].filter { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }
        response.headers[text[..<colon].lowercased()] = String(value.drop { $0 == " " })
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let take, agentos_curl_status(handle) < 300 else {
            response.body.append(contentsOf: bytes)
            return true
        }
        line.append(contentsOf: bytes)
        var start = line.startIndex
        while let end = line[start...].firstIndex(of: 0x0a) {
            if !take(Array(line[start..<end])) {
                isStopped = true
                return false
            }
            start = end + 1
        }
        line = Array(line[start...])
        return true
    }

    func finish(_ code: CURLcode) -> Client.Response {
        response.status = agentos_curl_status(handle)
        if code != CURLE_OK { response.failure = String(cString: curl_easy_strerror(code)) }
        return response
    }

    private func percent(_ text: String) -> String { Percent.encode(text) }
}
