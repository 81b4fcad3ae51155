import CLinux
import Glibc

/// Talks to the daemon over its unix socket, or over TLS.
package final class Client {
    package struct Request {
        package var method: String
        package var path: String
        package var query: [(String, String)] = []
        package var headers: [String] = []
        package var body: [UInt8]?
        /// The longest that the whole answer may take; nil: as long as the daemon is alive.
        package var timeoutMs: Int64? = 60_000

        package init(_ method: String, _ path: String, query: [(String, String)] = [], body: [UInt8]? = nil) {
            self.method = method
            self.path = path
            self.query = query
            self.body = body
        }
    }

    /// A whole answer.
    package struct Response: Sendable {
        package var status = 0
        package var headers: [String: String] = [:]
        package var body: [UInt8] = []

        package init(status: Int = 0, headers: [String: String] = [:], body: [UInt8] = []) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        /// The daemon ends and has not begun with it.
        var isOfOneThatStops: Bool { status == 503 && headers["agentos-stops"] != nil }

        package var isSuccess: Bool { (200..<300).contains(status) }
    }

    /// Why there is no whole answer. Each of them is told; none is ever taken for an empty answer.
    package enum Failure: Error, Equatable, Sendable {
        /// Nobody listens.
        case absent(String)
        /// Somebody listens and may not be spoken to.
        case forbidden(String)
        /// Who answers is not whom we trust, or does not trust what we show.
        case untrusted(String)
        /// This program cannot ask: it lacks a library, or may have no more descriptors or threads.
        case unable(String)
        /// Somebody listens and says nothing: stopped, or overloaded.
        case silent(afterMs: Int64)
        /// The time of the request was up while the daemon was alive.
        case late(afterMs: Int64)
        case cut(String)
        case tooLarge(bytesMax: Int)
        case notUnderstood(String)
    }

    /// How long a daemon may be silent before it is asked whether it lives, and how long it has to say so.
    package struct Patience: Sendable {
        package var silenceMs: Int64 = 15_000
        package var probeMs: Int64 = 5_000
        /// How long what nobody has taken is sent again while another daemon is on its way.
        package var arrivalMs: Int64 = 2_000
        /// How long one that ends may go on saying so; it writes down what was begun.
        package var leavingMs: Int64 = 15_000

        package init() {}
    }

    private let endpoint: Endpoint
    private let patience: Patience
    /// Whether a daemon will listen there soon.
    private let isArriving: () -> Bool

    package init(
        _ endpoint: Endpoint, patience: Patience = Patience(), isArriving: @escaping () -> Bool = { false }
    ) {
        self.endpoint = endpoint
        self.isArriving = isArriving
        self.patience = patience
    }

    /// Sends one request and reads the whole answer.
    package func send(_ request: Request) throws(Failure) -> Response { try perform([request])[0].get() }

    /// Sends requests, several at a time; the answers are in the order of the requests.
    package func perform(_ requests: [Request], concurrency: Int = 32) -> [Result<Response, Failure>] {
        drive(requests.count, concurrency) { (requests[$0], nil) }
    }

    /// Gives what a successful answer holds to `take` as it comes; `take` returns false to stop.
    ///
    /// - Returns: the answer without its content, or with it when it is no success.
    package func receive(
        _ request: Request, take: @escaping (UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Response {
        let sink = Transfer.Sink(take)
        let result = drive(1, 1) { _ in (request, sink) }[0]
        if let problem = sink.problem { throw problem }
        return try result.get()
    }

    /// Reads an answer line by line; `take` returns false to stop.
    ///
    /// - Parameter pause: is called whenever all lines that have come together were taken.
    package func lines(
        _ request: Request, take: @escaping ([UInt8]) throws -> Bool, pause: @escaping () throws -> Void = {}
    ) throws -> Response {
        var lines = LineReader()
        var goesOn = true
        let response = try receive(request) { bytes in
            goesOn = try lines.feed(bytes, take: take)
            try pause()
            return goesOn
        }
        if goesOn { try lines.end() }
        return response
    }

    /// A connection that is to leave HTTP, for the caller to close.
    package func connection() throws(Failure) -> Connection { try .open(endpoint) }

    private func drive(
        _ count: Int, _ concurrency: Int, _ request: (Int) -> (Request, Transfer.Sink?)
    ) -> [Result<Response, Failure>] {
        var results = [Result<Response, Failure>](repeating: .failure(.cut("nothing was sent")), count: count)
        var given = 0
        drive(concurrency: concurrency) {
            guard given < count else { return nil }
            defer { given += 1 }
            return request(given)
        } end: { index, result in
            results[index] = result
            return true
        }
        return results
    }

    /// Many answers at once, each given to `take` as it comes, until nothing is open or `end` says that it is enough.
    ///
    /// - Parameters:
    ///   - next: further requests, numbered in the order in which they are given; asked again whenever something came.
    ///   - take: takes what a successful answer holds; returns false to stop that one.
    ///   - end: learns how one has ended; returns false to stop all.
    package func stream(
        next: () -> Request?, take: @escaping (Int, UnsafeRawBufferPointer) throws -> Bool,
        end: (Int, Result<Response, Failure>) throws -> Bool
    ) throws {
        var sinks: [Transfer.Sink] = []
        var problem: (any Error)?
        drive(concurrency: .max) {
            guard let request = next() else { return nil }
            let index = sinks.count
            let sink = Transfer.Sink { try take(index, $0) }
            sinks.append(sink)
            return (request, sink)
        } end: { index, result in
            if let found = sinks[index].problem {
                problem = found
                return false
            }
            do { return try end(index, result) } catch {
                problem = error
                return false
            }
        }
        if let problem { throw problem }
    }

    private func drive(
        concurrency: Int, next: () -> (Request, Transfer.Sink?)?, end: (Int, Result<Response, Failure>) -> Bool
    ) {
        var running: [(index: Int, transfer: Transfer)] = []
        var kept: [Connection] = []
        defer { for connection in kept { close(connection.descriptor) } }
        var unserved = Unserved(patience, isArriving)
        var count = 0
        var silence = Silence(patience)
        while true {
            while running.count < concurrency {
                let sent: Unserved.Sent
                if let again = unserved.next() {
                    sent = again
                } else if let (request, sink) = next() {
                    sent = Unserved.Sent(index: count, request: request, sink: sink)
                    count += 1
                } else {
                    break
                }
                unserved.sent[sent.index] = sent
                let transfer = Transfer(sent.request, endpoint, sink: sent.sink, over: kept.popLast())
                running.append((sent.index, transfer))
            }
            if running.isEmpty, unserved.isEmpty { return }
            if running.allSatisfy({ $0.transfer.result == nil }) {
                let waitMs = unserved.isEmpty ? min(1000, patience.silenceMs) : Unserved.pauseMs
                Transfer.turn(running.map(\.transfer), waitMs: waitMs)
            }
            let ended = running.compactMap { index, transfer in transfer.result.map { (index, transfer, $0) } }
            running.removeAll { $0.transfer.result != nil }
            for (index, transfer, result) in ended {
                if let connection = transfer.takeConnection() { kept.append(connection) }
                if case .success(let response) = result, response.isOfOneThatStops {
                    // Only a new connection leads to the next daemon.
                    for connection in kept { close(connection.descriptor) }
                    kept = []
                }
                silence.end()
                if unserved.takes(index, result) { continue }
                if !end(index, result) { return }
            }
            if !ended.isEmpty { continue }
            if running.contains(where: { $0.transfer.takeNews() }) { silence.end() }
            if silence.asksWhetherItLives, let failure = probe(silence.ms) {
                for index in (running.map(\.index) + unserved.takeAll()).sorted() {
                    guard end(index, .failure(failure)) else { return }
                }
                while next() != nil {
                    guard end(count, .failure(failure)) else { return }
                    count += 1
                }
                return
            }
        }
    }

    /// Asks on a connection of its own; what is wrong with the daemon, or nil when it is alive.
    private func probe(_ silentMs: Int64) -> Failure? {
        var request = Request("GET", "/livez")
        request.timeoutMs = patience.probeMs
        let transfer = Transfer(request, endpoint)
        while transfer.result == nil { Transfer.turn([transfer], waitMs: patience.probeMs) }
        switch transfer.result {
        case .success, nil: return nil
        case .failure(.late(let ms)): return .silent(afterMs: silentMs + ms)
        case .failure(let failure): return failure
        }
    }
}

/// Since when nothing has come from the daemon.
private struct Silence {
    private let patience: Client.Patience
    private var since = agentos_boot_ms()
    private var askedAt: Int64?

    init(_ patience: Client.Patience) { self.patience = patience }

    var ms: Int64 { agentos_boot_ms() - since }

    /// True once for each span of silence.
    var asksWhetherItLives: Bool {
        mutating get {
            let now = agentos_boot_ms()
            guard now - (askedAt ?? since) >= patience.silenceMs else { return false }
            askedAt = now
            return true
        }
    }

    mutating func end() {
        since = agentos_boot_ms()
        askedAt = nil
    }
}
