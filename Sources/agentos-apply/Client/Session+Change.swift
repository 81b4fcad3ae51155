import HTTPClient
import Manifests
import Values

extension Session {
    /// How often a change is made again because somebody else changed the object meanwhile.
    private static let changesMax = 5

    /// Changes a part of one object, by a patch that is made of what it is.
    ///
    /// Guarantee: the patch takes effect on exactly the version that `make` saw, or not at all.
    /// - Parameters:
    ///   - path: of the object, or of a part of it.
    ///   - make: the change as a merge patch; nil: there is nothing to change.
    /// - Returns: the object as it is now, and whether it was changed.
    func change(
        _ path: String, manager: String, isDryRun: Bool = false, _ make: (ObjectView) throws -> Node?
    ) throws -> (object: ObjectView, isChanged: Bool) {
        var attempt = 1
        while true {
            let object = ObjectView(try node("GET", path))
            guard var patch = try make(object) else { return (object, false) }
            var metadata = patch["metadata"] ?? .emptyMap
            metadata["resourceVersion"] = .text(object.version)
            patch["metadata"] = metadata
            var request = Client.Request("PATCH", path, query: [("fieldManager", manager)])
            if isDryRun { request.query.append(("dryRun", "All")) }
            request.headers = ["Content-Type: application/merge-patch+json"]
            request.body = JSONWriter.bytes(patch)
            let response = try answer(request)
            if response.status == 409, attempt < Self.changesMax {
                attempt += 1
                continue
            }
            if !response.isSuccess { throw problem(response) }
            return (ObjectView(try node(response)), true)
        }
    }

    /// Does one thing with each object; what one of them refuses holds the others not up.
    func each(_ targets: [Target], _ body: (Target) throws -> Void) throws -> ExitCode {
        var worst = ExitCode.success
        for target in targets {
            do { try body(target) } catch let problem as CommandProblem {
                // Without a daemon, or somewhere to write to, nothing goes on.
                if problem.code == .noDaemon || problem.code == .timeout || targets.count == 1 { throw problem }
                Terminal.printError("\(target.shown): \(problem.message)")
                worst = problem.code
            }
        }
        return worst
    }
}
