extension Exchange {
    struct Head {
        var status = 200
        var type: String?
        var headers: [(String, String)] = []
    }

    /// Where the request has come from.
    enum Origin {
        case connection(OpaquePointer)
        case message(HTTPMessage, answered: (HTTPMessage.Answer) -> Void)
    }

    enum Answer {
        case whole(Head, [UInt8])
        /// Of known length, from the queue.
        case long(Head, Int)
        /// From the queue, compressed as it is sent.
        case compressed(Head)
        case stream(Head)
        case upgrade(Head)
    }
}

/// Why a request is refused for its head alone.
public enum HeadProblem: Sendable, Equatable {
    case malformedTarget(String)
    /// Lengths that contradict each other, or more than one host: another reader would see another request.
    case ambiguous(String)
    case bodyTooLarge(bytesMax: Int)
    /// The bodies of all requests together are as large as they may be.
    case tooManyBodies
}
