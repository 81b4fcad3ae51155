import Glibc
import Manifests
import Support
import Testing
import Values

/// What cannot be given to a program is said at once.
@Suite(.serialized) struct UndeliverableTests {
    @Test(arguments: Isolation.allCases) func whatNoProgramCanBeGivenIsAStartError(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let long = String(repeating: "x", count: 140_000)
            // What one object may hold is less than what the kernel takes: Secrets add up.
            var secrets = ""
            for number in 0..<8 {
                secrets += """
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: big-\(number)}
                    stringData: {\((0..<5).map { "V\(number)_\($0): \(String(repeating: "y", count: 100_000))" }.joined(separator: ", "))}
                    ---

                    """
            }
            world.apply(
                secrets + """
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: binary}
                    data: {key: YQBi}
                    ---
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: bytes}
                    data: {KEY: //79}
                    ---

                    """)
            let from = (0..<8).map { "{secretRef: {name: big-\($0)}}" }.joined(separator: ", ")
            let rows = [
                (
                    "zero", "env: [{name: KEY, valueFrom: {secretKeyRef: {name: binary, key: key}}}]",
                    ["KEY", "zero byte"]
                ),
                (
                    "bytes", "env: [{name: ANY, valueFrom: {secretKeyRef: {name: bytes, key: KEY}}}]",
                    ["KEY", "\"bytes\"", "UTF-8"]
                ),
                ("all-bytes", "envFrom: [{secretRef: {name: bytes}}]", ["KEY", "\"bytes\"", "UTF-8"]),
                ("long", "env: [{name: LONG, value: \(long)}]", ["LONG", "131072"]),
                ("much", "envFrom: [\(from)]", ["arguments and environment", "V0_0"]),
            ]
            for (name, lines, words) in rows {
                world.apply(world.agent(name, isolation, World.stays, "\(lines)\nrestartPolicy: Never"))
                World.until("\(name) is refused") { world.phase(name) == "Failed" }
                let exit = world.lastExit(name)
                #expect(exit?["reason"]?.string == "StartError", "\(name): not by the deadline of starts")
                let message = exit?["message"]?.string ?? ""
                for word in words { #expect(message.contains(word), "\(name): \(message)") }
                #expect(!message.contains("yyyy") && !message.contains("xxxx"), "a value is told")
            }
        }
    }
}
