import CCurl
import Values

/// A server on another machine, to which requests are sent one after the other; its connection is kept between them.
///
/// Guarantee: certificates are verified, no redirect is followed, no proxy of the environment is asked, no password of a
/// file is sent, every request ends by its deadline, and an answer is read up to its limit.
package final class HTTPPeer {
    /// How the server is reached.
    package struct Target: Sendable, Equatable {
        /// `https://…`, or `http://…` where `allowsPlain`.
        package var url: String
        package var allowsPlain = false
        /// A file of authorities in place of the machine's own.
        package var authorityFile: String?

        package init(url: String) { self.url = url }
    }

    /// A whole answer; its body is cut at the limit.
    package struct Answer: Sendable, Equatable {
        package var status: Int
        /// By their names in lower case.
        package var headers: [String: String] = [:]
        package var body: [UInt8] = []
    }

    /// There is no answer, with the reason.
    package struct Silence: Error, Equatable {
        package var words: String
        /// The time was up.
        package var isLate: Bool
    }

    private let target: Target
    private let bodyBytesMax: Int
    /// Nil: the library could not be loaded.
    private let handle: UnsafeMutableRawPointer?
    private var answer = Answer(status: 0)
    private var headerBytes = 0

    /// Of all headers of one answer.
    private static let headerBytesMax = 64 << 10

    /// - Parameter bodyBytesMax: what is kept of an answer's body; the rest is not read.
    package init(_ target: Target, bodyBytesMax: Int) {
        self.target = target
        self.bodyBytesMax = bodyBytesMax
        guard agentos_curl_problem() == nil else {
            handle = nil
            return
        }
        guard let handle = agentos_curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
        setUp(handle)
    }

    deinit { if let handle { agentos_curl_easy_cleanup(handle) } }

    private func setUp(_ handle: UnsafeMutableRawPointer) {
        _ = agentos_curl_string(handle, CURLOPT_URL, target.url)
        _ = agentos_curl_string(handle, CURLOPT_PROTOCOLS_STR, target.allowsPlain ? "https,http" : "https")
        _ = agentos_curl_string(handle, CURLOPT_PROXY, "")
        _ = agentos_curl_string(handle, CURLOPT_USERAGENT, "agentos-apply")
        for (option, value) in [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_SSL_VERIFYPEER, 1),
            (CURLOPT_SSL_VERIFYHOST, 2), (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            (CURLOPT_TCP_KEEPALIVE, 1), (CURLOPT_POST, 1),
        ] { _ = agentos_curl_long(handle, option, value) }
        if let file = target.authorityFile {
            _ = agentos_curl_string(handle, CURLOPT_CAINFO, file)
            _ = agentos_curl_string(handle, CURLOPT_CAPATH, nil)
        }
        let user = Unmanaged.passUnretained(self).toOpaque()
        _ = agentos_curl_writer(
            handle,
            { data, size, count, user in
                let server = Unmanaged<HTTPPeer>.fromOpaque(user!).takeUnretainedValue()
                return server.take(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
            }, user)
        _ = agentos_curl_headers(
            handle,
            { data, size, count, user in
                let server = Unmanaged<HTTPPeer>.fromOpaque(user!).takeUnretainedValue()
                return server.header(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
            }, user)
    }

    /// Sends a body and reads the answer.
    ///
    /// - Parameter timeoutMs: for all of it, from the name of the server to the last byte of the answer.
    package func post(_ body: [UInt8], headers: [String], timeoutMs: Int64) throws(Silence) -> Answer {
        guard let handle else {
            let why = agentos_curl_problem().map { String(cString: $0) }
            throw Silence(words: why ?? "libcurl could not be loaded when it was first needed", isLate: false)
        }
        answer = Answer(status: 0)
        headerBytes = 0
        var list: UnsafeMutablePointer<curl_slist>?
        for header in headers + ["Expect:"] { list = agentos_curl_slist_append(list, header) }
        defer { agentos_curl_slist_free_all(list) }
        _ = agentos_curl_pointer(handle, CURLOPT_HTTPHEADER, list)
        defer { _ = agentos_curl_pointer(handle, CURLOPT_HTTPHEADER, nil) }
        _ = agentos_curl_long(handle, CURLOPT_TIMEOUT_MS, Int(max(1, timeoutMs)))
        _ = agentos_curl_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, timeoutMs)))
        _ = agentos_curl_long(handle, CURLOPT_POSTFIELDSIZE, body.count)
        let code = body.withUnsafeBytes { bytes in
            // Read by curl within this call only.
            _ = agentos_curl_string(handle, CURLOPT_POSTFIELDS, bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
            return agentos_curl_easy_perform(handle)
        }
        answer.status = agentos_curl_status(handle)
        switch code {
        case CURLE_OK: return answer
        // The rest of a body that nobody wants.
        case CURLE_WRITE_ERROR where answer.status >= 200 && headerBytes <= Self.headerBytesMax: return answer
        case CURLE_OPERATION_TIMEDOUT:
            throw Silence(words: "no whole answer within \(timeoutMs) ms", isLate: true)
        default: throw Silence(words: String(cString: agentos_curl_easy_strerror(code)), isLate: false)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let room = bodyBytesMax - answer.body.count
        answer.body.append(contentsOf: bytes.prefix(room))
        return bytes.count <= room
    }

    private func header(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= Self.headerBytesMax else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let colon = text.firstIndex(of: ":") else { return true }
        let value = text[text.index(after: colon)...].filter { !$0.isNewline }
        answer.headers[text[..<colon].lowercased()] = String(value.drop { $0 == " " || $0 == "\t" })
        return true
    }
}

/// The header `Retry-After` (RFC 9110, section 10.2.3).
package enum RetryAfter {
    /// Milliseconds from now, at least one second and at most `maxMs`; nil when there is no such header, or none that can be
    /// read.
    ///
    /// - Parameter nowMs: since 1970.
    package static func milliseconds(_ header: String?, nowMs: Int64, maxMs: Int64) -> Int64? {
        guard let text = header?.trimmed else { return nil }
        let ms: Int64
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            ms = (WholeNumber.read(text, in: 0 ... .max) ?? .max).multipliedSaturated(by: 1000)
        } else if let date = date(text) {
            ms = date.subtractingSaturated(nowMs)
        } else {
            return nil
        }
        return min(max(ms, 1000), maxMs)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, in milliseconds since 1970.
    private static func date(_ text: String) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].utf8.count == 4, words[0].last == ",", words[5] == "GMT",
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        return Timestamp.parse("\(words[3])-\(month < 9 ? "0" : "")\(month + 1)-\(words[1])T\(words[4])Z")
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" || $0.isNewline }.reversed())
    }
}
