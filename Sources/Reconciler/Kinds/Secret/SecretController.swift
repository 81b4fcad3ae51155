import Manifests
import Planner
import Values

/// Secrets: read as ConfigMaps are, and stored in base64.
struct SecretController: KindController {
    static let traits = KindTraits(hidesData: true, mirror: .runs, feedsSources: true)

    /// Plain values are stored as `data`, where they go before those that stand there.
    func stored(_ declared: Node) -> Node {
        guard let plain = declared["stringData"]?.map else { return declared }
        var data = ContentTree(declared["data"] ?? .emptyMap)
        for entry in plain.entries {
            data.set([entry.key], .text(Base64.encode(Array((entry.value.string ?? "").utf8))))
        }
        var result = declared
        result["data"] = data.node
        result["stringData"] = nil
        return result
    }

    func declared(_ object: StoredObject, in work: inout Work) { work.markReaders(of: object) }
}
