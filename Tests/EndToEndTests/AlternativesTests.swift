import Glibc
import Support
import Testing
import Values

/// A file that says something else, or nothing, where it said something before: what is stored is as if it had never been
/// otherwise.
@Suite(.serialized) struct AlternativesTests {
    private static let http =
        "readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 7, failureThreshold: 2}"
    private static let exec = "readinessProbe: {exec: {command: [\"true\"]}, periodSeconds: 7}"

    /// From, to, and the fields that are gone then.
    private static let changes: [(from: String, to: String, gone: [String])] = [
        (exec, "", ["readinessProbe"]),
        (http, "", ["readinessProbe"]),
        (http, exec, ["readinessProbe.httpGet"]),
        (exec, http, ["readinessProbe.exec"]),
        (exec, "readinessProbe: {tcpSocket: {port: 1}}", ["readinessProbe.exec"]),
        ("securityContext: {runAsUser: 5001, runAsGroup: 5002}", "", ["securityContext.runAsUser"]),
        ("securityContext: {runAsUser: 5001}", "securityContext: {runAsGroup: 5002}", ["securityContext.runAsUser"]),
        ("env: [{name: A, value: b}]", "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]", []),
        (
            "livenessProbe: {exec: {command: [\"true\"]}}", "startupProbe: {exec: {command: [\"true\"]}}",
            ["livenessProbe"]
        ),
        ("resources: {limits: {memory: 64Mi}}", "", ["resources"]),
        ("updateStrategy: {maxUnavailable: 2}", "updateStrategy: {type: Recreate}", []),
    ]

    private func spec(_ world: World, _ kind: String, _ name: String) -> Node? {
        JSONReader.read(world.run("get", kind, name, "-o", "json").output)?["spec"]
    }

    private func differs(_ world: World, _ kind: String, _ what: String, _ gone: [String]) {
        let (changed, fresh) = (spec(world, kind, "changed"), spec(world, kind, "fresh"))
        #expect(changed != nil && changed == fresh, "\(what): \(changed.map { JSONWriter.text($0) } ?? "")")
        for field in gone {
            let found = field.split(separator: ".").reduce(changed) { node, name in node?[String(name)] }
            #expect(found == nil, "\(what): \(field)")
        }
    }

    @Test func whatAFileNoLongerSaysIsGone() {
        inWorld { world in
            world.startDaemon()
            for (from, to, gone) in Self.changes {
                for lines in [from, to] {
                    let applied = world.apply(World.agent("changed", World.stays, "suspend: true\n\(lines)"))
                    #expect(applied.code == 0, "\(from) to \(to): \(applied.text)")
                }
                #expect(world.apply(World.agent("fresh", World.stays, "suspend: true\n\(to)")).code == 0)
                differs(world, "agent", "\(from) to \(to)", gone)
                #expect(world.run("delete", "agents", "--all").code == 0)
            }
        }
    }

    @Test func aSourceChangesBetweenGitAndADirectory() {
        inWorld { world in
            world.startDaemon()
            let directory = "\(world.directory)/declared"
            mkdir(directory, 0o755)
            func source(_ name: String, _ spec: String) -> String {
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: \(name)}\nspec: {\(spec)}\n---\n"
            }
            let (git, path) = ("git: {url: \"file:///nowhere\", branch: main, path: deploy}", "path: \(directory)")
            for (from, to, gone) in [(git, path, "git"), (path, git, "path")] {
                for spec in [from, to] {
                    let applied = world.apply(source("changed", spec))
                    #expect(applied.code == 0, "\(from) to \(to): \(applied.text)")
                }
                #expect(world.apply(source("fresh", to)).code == 0)
                differs(world, "source", "\(from) to \(to)", [gone])
                #expect(world.run("delete", "sources", "--all").code == 0)
            }
        }
    }
}
