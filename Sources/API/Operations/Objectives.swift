import HTTP
import Resources
import Values

extension Server {
    /// How all Objectives stand at this moment, and whether a release may go on.
    func objectives(_ call: Call) {
        call.respond(200, "application/json", [JSONWriter.bytes(loop.engine.state.objectiveReport(loop.now))])
    }
}
