import Manifests
package import Values

/// What the daemon would do, as it says so.
package struct PlanView {
    static let path = "/apis/agentos.dev/v1/plans"

    package let changes: [ChangeView]

    package init(_ node: Node) { changes = (node["changes"]?.list ?? []).map(ChangeView.init) }

    /// What becomes of an object, in the words of the API.
    package enum Action: String, CaseIterable {
        case create, change, delete, keep, refuse, follow
    }

    package struct ChangeView {
        let node: Node

        /// A word that a newer daemon says counts as a change.
        var action: Action { node["action"]?.string.flatMap(Action.init(rawValue:)) ?? .change }
        var kind: Kind? { node["kind"]?.string.flatMap(Kind.init(rawValue:)) }
        var namespace: String { node["namespace"]?.string ?? "" }
        var name: String { node["name"]?.string ?? "" }
        var generation: Int { node["generation"]?.int ?? 0 }
        var place: String? { node["declaredAt"]?.string }
        var why: String? { node["why"]?.string }
        var waits: String? { node[path: "waits", "message"]?.string }
        var restarts: [String] { (node["restarts"]?.list ?? []).compactMap(\.string) }
        var outdated: Int { node["outdated"]?.int ?? 0 }
        var differences: [(path: String, from: Node?, to: Node?)] {
            (node["differences"]?.list ?? []).map { ($0["path"]?.string ?? "", $0["from"], $0["to"]) }
        }

        /// Ordinals of the replicas that something is done with at once.
        func ordinals(_ effect: String) -> [Int] { (node["effects"]?.list ?? []).compactMap { $0[effect]?.int } }

        /// As it is told when it was done.
        func result(_ object: String) -> String {
            let word =
                switch action {
                case .create: "created"
                case .change: "configured"
                case .delete: "deleted"
                case .keep, .follow, .refuse: "unchanged"
                }
            return ApplyResult(result: word, restarts: restarts, waits: waits.map { [$0] } ?? [])
                .line(object, isDryRun: false)
        }
    }

    func count(_ action: Action) -> Int { changes.count { $0.action == action } }
    var refusals: Int { count(.refuse) }
    package var isEmpty: Bool { changes.allSatisfy { $0.action == .keep } }

    /// Tells what the daemon does not take, each with its place; nothing was done.
    func refuse() throws -> ExitCode {
        var code = ExitCode.conflict
        for change in changes where change.action == .refuse {
            let refusal = change.node["refusal"]
            if refusal?["isConflict"]?.bool != true { code = .invalid }
            let place = change.place.map { "\($0): " } ?? ""
            let causes = (refusal?["causes"]?.list ?? []).map {
                "\($0["field"]?.string ?? ""): \($0["message"]?.string ?? "")"
            }
            for line in causes.isEmpty ? [refusal?["message"]?.string ?? "refused"] : causes {
                Terminal.printError("\(place)\(line)")
            }
        }
        Terminal.printError("\(refusals) of \(changes.count) objects would be refused; nothing was changed")
        return code
    }
}
