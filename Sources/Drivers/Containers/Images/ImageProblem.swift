import Planner

/// Why an image cannot be used, whoever holds images.
enum ImageProblem: Error, Sendable {
    case missing(String)
    case unusable(String)

    var message: String {
        switch self {
        case .missing(let message), .unusable(let message): message
        }
    }

    /// What becomes of a run that needs it.
    var reason: Exit.Reason {
        switch self {
        case .missing: .imageNotFound
        case .unusable: .startError
        }
    }
}
