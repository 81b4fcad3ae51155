import HTTP
import Manifests
import Reconciler
import Values

/// A command that a client wants to run, from its query or its body.
struct CommandRequest {
    /// Which streams the client has asked for.
    struct Streams: Equatable {
        var hasInput: Bool
        var hasOutput: Bool
        var hasError: Bool
        var isTerminal: Bool
    }

    let command: [String]
    /// What a body says of it; nil: the one that the path, or the query, names.
    let ordinal: Int?
    let timeoutMs: Int64
    let streams: Streams

    private static let wordsMax = 1024

    init(_ call: Call) throws(Failure) {
        let parameters = call.parameters
        // A command may be longer than a query.
        if let body = try call.bodyObject("Command") {
            let words = body["command"]?.list ?? []
            command = words.compactMap(\.string)
            guard command.count == words.count else { throw .badRequest("command: expected strings") }
            ordinal = try Self.ordinal(body["ordinal"], call)
            let seconds = Int64(body["timeoutSeconds"]?.int ?? 0)
            guard (0...86_400).contains(seconds) else { throw .badRequest("timeoutSeconds: must be from 0 to 86400") }
            timeoutMs = seconds * 1000
            let isTerminal = body["terminal"]?.bool ?? false
            streams = Streams(
                hasInput: body["stdin"]?.bool ?? false, hasOutput: true, hasError: !isTerminal, isTerminal: isTerminal)
        } else {
            command = parameters[Query.command] ?? []
            ordinal = nil
            timeoutMs = (call.route.kind == .agent ? parameters[Query.commandTimeout] ?? 0 : 0) * 1000
            streams = Streams(parameters)
        }
        guard (1...Self.wordsMax).contains(command.count), !command.contains(where: { $0.utf8.contains(0) }) else {
            throw .badRequest("command: expected 1 to \(Self.wordsMax) strings without zero bytes")
        }
        guard streams.hasInput || streams.hasOutput || streams.hasError else {
            throw .badRequest("you must specify at least 1 of stdin, stdout, stderr")
        }
    }

    /// A pod is one replica: what may be done with it was decided by its name.
    private static func ordinal(_ node: Node?, _ call: Call) throws(Failure) -> Int? {
        guard let node, !node.isNull else { return nil }
        guard call.route.kind == .agent else { throw .badRequest("ordinal: the path names the replica of a pod") }
        guard let number = node.int, (0...Limits.replicasMax).contains(number) else {
            throw .badRequest("ordinal: must be from 0 to \(Limits.replicasMax)")
        }
        return number
    }
}

extension CommandRequest.Streams {
    init(_ parameters: Parameters) {
        isTerminal = parameters.has(Query.tty)
        hasInput = parameters.has(Query.stdin)
        hasOutput = parameters.has(Query.stdout)
        // A terminal has one output.
        hasError = parameters.has(Query.stderr) && !isTerminal
    }
}
