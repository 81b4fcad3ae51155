import HTTPClient
import Testing

@Suite struct ResponseReaderTests {
    private struct Answer: Equatable {
        var status = 0
        var content = ""
        var taken = 0
        var isWhole = false
    }

    private func read(_ text: String, pieces: Int = .max) throws -> Answer {
        var reader = ResponseReader()
        var answer = Answer()
        var content: [UInt8] = []
        let bytes = Array(text.utf8)
        var at = 0
        while at < bytes.count, !reader.isComplete {
            let piece = bytes[at..<(pieces < bytes.count - at ? at + pieces : bytes.count)]
            at = piece.endIndex
            answer.taken += try piece.withUnsafeBytes { piece in
                try reader.read(piece) {
                    content += $1
                    return true
                }
            }
        }
        answer.isWhole = reader.end()
        answer.status = reader.status
        answer.content = String(decoding: content, as: UTF8.self)
        return answer
    }

    private static let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nab\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    private static let counted = "HTTP/1.1 404 Not Found\r\ncontent-LENGTH: 3\r\n\r\nabc"

    @Test(arguments: [
        (counted, 404, "abc"), (chunked, 200, "ab\r\n0123456789"),
        ("HTTP/1.1 100 Continue\r\n\r\n\(counted)", 404, "abc"), ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""), ("HTTP/1.1 101 X\r\nUpgrade: y\r\n\r\n", 101, ""),
        ("HTTP/1.0 200 OK\r\n\r\nup to the end", 200, "up to the end"),
    ])
    func anAnswerIsTheSameInPiecesOfAnySize(text: String, status: Int, content: String) throws {
        let whole = try read(text)
        #expect(whole == Answer(status: status, content: content, taken: text.utf8.count, isWhole: true))
        for pieces in [1, 2, 3, 7] { #expect(try read(text, pieces: pieces) == whole) }
    }

    /// However much of an answer is there, less than all of it is not taken for the whole.
    @Test(arguments: [counted, chunked]) func whatIsCutIsNotWhole(text: String) throws {
        for count in 0..<text.utf8.count {
            #expect(try !read(String(decoding: text.utf8.prefix(count), as: UTF8.self)).isWhole, "\(count)")
        }
    }

    @Test func whatFollowsAnAnswerIsLeftAlone() throws {
        for text in [Self.counted, Self.chunked] {
            #expect(try read(text + "HTTP/1.1 500").taken == text.utf8.count)
        }
    }

    @Test(arguments: [
        "SSH-2.0\r\n", "HTTP/2 200\r\n", "HTTP/1.1 99 x\r\n", "HTTP/1.1 2000 x\r\n", "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nno field\r\n", "HTTP/1.1 200 OK\r\n: x\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000),
    ])
    func whatIsNoAnswerIsRefused(text: String) { #expect(throws: ResponseProblem.self) { try read(text) } }

    @Test func aConnectionIsKeptUnlessTheAnswerSaysOtherwise() throws {
        for (head, isKept) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false), ("HTTP/1.1 200 OK\r\n\r\n", false),
        ] {
            var reader = ResponseReader()
            _ = try Array(head.utf8).withUnsafeBytes { try reader.read($0) { _, _ in true } }
            #expect(reader.keepsConnection == isKept, "\(head)")
        }
    }
}
