import Manifests
public import Planner
import Values

extension Request {
    /// Several changes as one: all of them are made in one step, or none is.
    public struct Batch: Sendable {
        /// What is to be done.
        public enum Change: Sendable {
            /// In this order: what others need stands before them.
            case writes([Write])
            /// What the last reading of a Source has found is applied; `force`: all that it no longer declares is deleted.
            case sync(ObjectKey, force: Bool)
        }

        public var change: Change
        /// How things stood when it was planned: when they stand otherwise, nothing is done. Nil: as they are.
        public var expected: [Forecast.Standing]?

        public init(_ change: Change, expected: [Forecast.Standing]? = nil) {
            self.change = change
            self.expected = expected
        }
    }
}
