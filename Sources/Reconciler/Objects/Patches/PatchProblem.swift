import Values

/// Why a patch was not carried out.
public enum PatchProblem: Error, Sendable, Equatable {
    /// It is no patch of its kind.
    case malformed(Malformed)
    /// It does not fit to the object as it is; the number of its step counts from 0.
    case unfitting(step: Int, Unfitting)
    /// Carrying it out would cost more than one patch may.
    case tooCostly

    /// What is wrong with a patch by itself.
    public enum Malformed: Sendable, Equatable {
        case notAList
        case notAMap
        case tooManySteps
        case step(Int, String)
        /// A directive of a strategic merge.
        case directive(String)
    }

    /// What an object lacks for a step.
    public enum Unfitting: Sendable, Equatable {
        case missing(String)
        case notAPlace(String)
        case index(String)
        case test(String)
        case intoItself(String)
        case depth(String)
    }
}

extension PatchProblem {
    /// Whether the patch itself is wrong, whatever object it is for.
    public var isMalformed: Bool {
        switch self {
        case .malformed: true
        case .unfitting, .tooCostly: false
        }
    }

    /// The problem as a sentence.
    public var words: String {
        switch self {
        case .malformed(.notAList): "a JSON patch is a list of steps"
        case .malformed(.notAMap): "a merge patch of an object is a map"
        case .malformed(.tooManySteps): "a JSON patch has at most \(Limits.patchStepsMax) steps"
        case .malformed(.step(let step, let why)): "step \(step) of the JSON patch: \(why)"
        case .malformed(.directive(let why)): "the strategic merge patch: \(why)"
        case .unfitting(let step, let why): "step \(step) of the JSON patch does not apply: \(why.words)"
        case .tooCostly: "the JSON patch copies or compares too much"
        }
    }
}

extension PatchProblem.Unfitting {
    fileprivate var words: String {
        switch self {
        case .depth(let path): "what is at \"\(path)\" would be nested deeper than \(Limits.depthMax) levels"
        case .missing(let path): "there is nothing at \"\(path)\""
        case .notAPlace(let path): "what is at \"\(path)\" is neither a map nor a list"
        case .index(let path): "\"\(path)\" is no place in its list"
        case .test(let path): "testing value \"\(path)\" failed"
        case .intoItself(let path): "\"\(path)\" cannot be moved into itself"
        }
    }
}
