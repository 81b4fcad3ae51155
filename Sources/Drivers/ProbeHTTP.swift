/// The request of an HTTP probe.
package enum ProbeRequest {
    static func bytes(_ path: String, host: String, _ headers: [String: String]) -> [UInt8] {
        var lines = ["GET \(target(path)) HTTP/1.1"]
        let names = Set(headers.keys.map { $0.lowercased() })
        if !names.contains("host") { lines.append("Host: \(host)") }
        if !names.contains("user-agent") { lines.append("User-Agent: agentos-probe") }
        lines += headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        lines += ["Accept: */*", "Connection: close", "", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    /// A path as a request line can hold it: a blank would end it. What is encoded already stays.
    package static func target(_ path: String) -> String {
        path.utf8.reduce(into: "") { text, byte in
            if (0x21...0x7e).contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

/// What of an answer to an HTTP probe is there.
///
/// Source: RFC 9112, section 4, and RFC 9110, section 15.2: answers 1xx come before the final one, but for 101.
package enum ProbeAnswer: Equatable {
    case unfinished
    /// No HTTP.
    case foreign
    case status(Int)

    package init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let words = String(decoding: rest[..<end], as: UTF8.self).split(whereSeparator: \.isWhitespace)
            guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
                self = .foreign
                return
            }
            guard (100..<200).contains(status), status != 101 else {
                self = .status(status)
                return
            }
            // Its fields end with an empty line.
            var line = rest[(end + 1)...]
            while let next = line.firstIndex(of: UInt8(ascii: "\n")), line[..<next].contains(where: { $0 > 0x20 }) {
                line = line[(next + 1)...]
            }
            guard let empty = line.firstIndex(of: UInt8(ascii: "\n")) else { break }
            rest = line[(empty + 1)...]
        }
        self = .unfinished
    }
}
