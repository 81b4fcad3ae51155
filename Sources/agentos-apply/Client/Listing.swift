import HTTPClient
import Manifests
import Values

/// A list that was read to its end, and the version from which a watch goes on.
struct Listing<Row> {
    var rows: [Row] = []
    var version = "0"
}

extension Session {
    /// Objects that the daemon is asked for at once; one that knows no pages sends them all.
    private static let pageItems = 500

    /// Reads all objects of a kind, page by page, and keeps of each what `row` makes of it.
    func list<Row>(
        _ kind: Kind, namespace: String?, query: [(String, String)] = [], row: (Node) throws -> Row?
    ) throws -> Listing<Row> {
        do { return try pages(kind, namespace, query, limit: Self.pageItems, row) } catch is ListExpired {
            // The daemon does not hold the version any more that the first pages are of.
            do { return try pages(kind, namespace, query, limit: nil, row) } catch is ListExpired {
                throw CommandProblem(.failure, "the list changed faster than it could be read; try again")
            }
        }
    }

    private struct ListExpired: Error {}

    private func pages<Row>(
        _ kind: Kind, _ namespace: String?, _ query: [(String, String)], limit: Int?, _ row: (Node) throws -> Row?
    ) throws -> Listing<Row> {
        var listing = Listing<Row>()
        var token: String?
        repeat {
            var request = Client.Request("GET", Self.path(kind, namespace: namespace), query: query)
            if let limit { request.query.append(("limit", String(limit))) }
            if let token { request.query.append(("continue", token)) }
            let envelope = try page(request, isFirst: token == nil) { node in
                if let made = try row(node) { listing.rows.append(made) }
            }
            guard envelope.next == nil || envelope.next != token else {
                throw problem(.notUnderstood("a page leads to itself"))
            }
            token = envelope.next
            listing.version = envelope.version
        } while token != nil
        return listing
    }

    private func page(
        _ request: Client.Request, isFirst: Bool, _ take: (Node) throws -> Void
    ) throws -> ListReader.Envelope {
        var reader = ListReader()
        do {
            let response = try withoutActuallyEscaping(take) { take in
                try client.receive(request) { bytes in
                    try reader.feed(bytes, take: take)
                    return true
                }
            }
            if response.status == 410, !isFirst { throw ListExpired() }
            if !response.isSuccess { throw problem(response) }
            return try reader.end()
        } catch let failure as Client.Failure { throw problem(failure) }
    }

    /// `Client.stream`, with what its failures mean for a person.
    func stream(
        next: () -> Client.Request?, take: @escaping (Int, UnsafeRawBufferPointer) throws -> Bool,
        end: (Int, Result<Client.Response, Client.Failure>) throws -> Bool
    ) throws {
        do { try client.stream(next: next, take: take, end: end) } catch let failure as Client.Failure {
            throw problem(failure)
        }
    }

    enum WatchEnd {
        /// `take` had enough.
        case stopped
        /// The time of the request was up.
        case late
        /// The daemon holds the version no more, or ended the watch by itself: list again.
        case ended
    }

    /// Follows a watch; `take` returns false to stop. A change that cannot be read is an error.
    func watch(_ request: Client.Request, take: @escaping (Change) throws -> Bool) throws -> WatchEnd {
        var changes = ChangeReader()
        var isStopped = false
        do {
            let response = try client.receive(request) { bytes in
                try changes.feed(bytes) { change in
                    isStopped = try !take(change)
                    return !isStopped
                }
            }
            if !response.isSuccess { throw problem(response) }
            return isStopped ? .stopped : .ended
        } catch let failure as Client.Failure {
            switch failure {
            case .late: return .late
            case .cut: return .ended
            case .absent, .forbidden, .untrusted, .unable, .silent, .tooLarge, .notUnderstood: throw problem(failure)
            }
        }
    }
}

/// One change that a watch tells.
struct Change {
    var object: ObjectView
    var isDeletion: Bool

    init?(_ node: Node) {
        guard let type = node["type"]?.string, ["ADDED", "MODIFIED", "DELETED"].contains(type),
            let object = node["object"]
        else { return nil }
        self.object = ObjectView(object)
        isDeletion = type == "DELETED"
    }
}

/// Cuts a watch into the changes that it tells. A change that cannot be read is an error.
struct ChangeReader {
    private var lines = LineReader()

    /// - Returns: false when `take` had enough, or when the daemon holds the version no more: list again.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, take: (Change) throws -> Bool) throws -> Bool {
        try lines.feed(bytes) { line in
            let node = try Answer.node(line)
            switch node["type"]?.string {
            case "ERROR": return false
            case "BOOKMARK": return true
            default: break
            }
            guard let change = Change(node) else { throw Client.Failure.notUnderstood("a change without an object") }
            return try take(change)
        }
    }
}
