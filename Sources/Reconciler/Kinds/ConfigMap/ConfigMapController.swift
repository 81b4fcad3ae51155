import Manifests
import Planner

/// ConfigMaps: agents wait for them, and show which of their values are old.
struct ConfigMapController: KindController {
    static let traits = KindTraits(mirror: .runs)

    func declared(_ object: StoredObject, in work: inout Work) { work.markReaders(of: object) }
}

extension Work {
    /// Agents of the namespace that wait for values.
    mutating func markReaders(of object: StoredObject) {
        queue.mark(queue.waiters(for: .input).filter { $0.namespace == object.key.namespace })
    }
}
