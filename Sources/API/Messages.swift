import CLinux
public import HTTP
import Planner
import Values

/// A request that a message of a broker has brought: JSON with what the line, head and body of HTTP say.
public struct MessageRequest: Sendable {
    /// That its subject names: nothing else can be asked for there. Nil: of the whole store.
    public var namespace: String?
    /// Of the head of the message, by their names in HTTP. What the JSON has of them counts when the head has none.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// When it was taken from the broker, in milliseconds since the machine has started.
    public var takenMs: Int64
    /// After so many milliseconds nobody waits for an answer.
    public var timeoutMs: Int64
    /// Bytes that the body of an answer may have.
    public var answerBytesMax: Int

    public init(
        namespace: String?, headers: [(name: String, value: String)], body: [UInt8], takenMs: Int64, timeoutMs: Int64,
        answerBytesMax: Int
    ) {
        self.namespace = namespace
        self.headers = headers
        self.body = body
        self.takenMs = takenMs
        self.timeoutMs = timeoutMs
        self.answerBytesMax = answerBytesMax
    }

    /// What a head may say.
    public static let headerNames = ["Authorization", "Idempotency-Key", "traceparent"]
    private static let fields = ["method", "path", "contentType", "body", "token", "key"]
    private static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    /// The request in the words of HTTP.
    func message() throws(Failure) -> HTTPMessage {
        guard body.count <= Limits.messageBytesMax else {
            throw Failure(
                code: 413, reason: "RequestEntityTooLarge",
                message: "the request is larger than \(Limits.messageBytesMax >> 20) MiB; ask over HTTP")
        }
        var diagnostics = Diagnostics()
        let node = JSONReader.read(body, file: "request", diagnostics: &diagnostics)
        if let first = diagnostics.kept.first { throw .badRequest(first.description) }
        guard let map = node?.map else { throw .badRequest("the request is no JSON object with a \"path\"") }
        func text(_ name: String) throws(Failure) -> String? {
            guard let value = map[name], !value.isNull else { return nil }
            guard let text = value.string else { throw .badRequest("\(name): expected a text") }
            return text
        }
        for entry in map.entries where !Self.fields.contains(entry.key) {
            let name = entry.key.prefix(64)
            throw .badRequest(
                "\"\(name)\" is no field of a request\(Suggestion.text(for: String(name), among: Self.fields))")
        }
        let method = try text("method") ?? "GET"
        guard Self.methods.contains(method) else {
            throw .badRequest("method: expected one of \(Self.methods.joined(separator: ", "))")
        }
        guard let path = try text("path") else { throw .badRequest("path: is required, such as /api/v1/namespaces") }
        var headers = headers
        func add(_ name: String, _ value: String?) {
            if let value, !headers.contains(where: { $0.name == name }) { headers.append((name, value)) }
        }
        add("Authorization", try text("token").map { "Bearer \($0)" })
        add("Idempotency-Key", try text("key"))
        let content = map["body"].flatMap { $0.isNull ? nil : $0 }
        if content != nil { add("Content-Type", try text("contentType") ?? "application/json") }
        // A text is sent as it is: manifests may be YAML.
        let bytes = content.map { $0.string.map { Array($0.utf8) } ?? JSONWriter.bytes($0) } ?? []
        return HTTPMessage(method: method, target: path, headers: headers, body: bytes)
    }
}

extension Server {
    /// Serves what a message asks for: the same calls as over HTTP, with the same rules, and one answer, which comes before
    /// the time is up.
    ///
    /// - Parameter answer: is called once, on the loop's thread.
    public func serve(_ request: MessageRequest, _ answer: @escaping (HTTPMessage.Answer) -> Void) {
        let trace = newTrace(request.headers.first { $0.name == "traceparent" }?.value)
        let answer = OneAnswer(bytesMax: request.answerBytesMax, trace, answer)
        let leftMs = request.timeoutMs - (agentos_boot_ms() - request.takenMs)
        guard leftMs > 0 else { return answer.fail(.late("it was not carried out")) }
        let message: HTTPMessage
        do throws(Failure) { message = try request.message() } catch {
            noteRefused(trace, code: error.code)
            return answer.fail(error)
        }
        let exchange = Exchange(server: http, message) { answer.give($0) }
        let timer = loop.events.after(ms: leftMs) {
            answer.fail(.late("it may have been carried out"))
            exchange.closed()
        }
        answer.onGiven = { [loop] in loop.events.cancel(timer) }
        serve(exchange, trace, within: request.namespace)
        if answer.isGiven { loop.events.cancel(timer) }
    }

    /// What is told to those whose requests find no room.
    public static var noRoomForMessages: HTTPMessage.Answer {
        Failure.tooMany("\(Limits.messagesMax) requests wait for their answers; ask again later").answer(nil)
    }
}

/// The answer to a message: the first that is given, if it fits into one.
private final class OneAnswer {
    private(set) var isGiven = false
    var onGiven: () -> Void = {}
    private let bytesMax: Int
    private let trace: Trace
    private let send: (HTTPMessage.Answer) -> Void

    init(bytesMax: Int, _ trace: Trace, _ send: @escaping (HTTPMessage.Answer) -> Void) {
        self.bytesMax = bytesMax
        self.trace = trace
        self.send = send
    }

    func fail(_ failure: Failure) { give(failure.answer(trace)) }

    func give(_ answer: HTTPMessage.Answer) {
        if isGiven { return }
        isGiven = true
        send(answer.body.count <= bytesMax ? answer : Failure.tooLong(answer, bytesMax).answer(trace))
        onGiven()
        onGiven = {}
    }
}

extension Failure {
    fileprivate func answer(_ trace: Trace?) -> HTTPMessage.Answer {
        HTTPMessage.Answer(
            status: code, type: "application/json", headers: headers + (trace.map { [$0.header] } ?? []),
            body: JSONWriter.bytes(status(trace)))
    }

    fileprivate static func late(_ what: String) -> Failure {
        Failure(
            code: 504, reason: "Timeout",
            message: "the request found no answer in time; \(what): ask again with the same Idempotency-Key")
    }

    fileprivate static func tooLong(_ answer: HTTPMessage.Answer, _ bytesMax: Int) -> Failure {
        Failure(
            code: 413, reason: "RequestEntityTooLarge",
            message: "the answer (\(answer.status)) has \(answer.body.count) bytes and a message takes \(bytesMax); "
                + "ask for less, such as with limit=, or over HTTP")
    }

    /// Where something else was asked for than the subject is for.
    static func elsewhere(_ namespace: String) -> Failure {
        Failure(
            code: 403, reason: "Forbidden",
            message: "this subject is for the namespace \"\(namespace)\" alone; "
                + "ask for what is beyond it on the subject of all namespaces, with _ in the name's place")
    }

    static let noMessage = badRequest("the answer goes on without an end, and a message is one; ask over HTTP")
}
