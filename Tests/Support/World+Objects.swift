package import Glibc
import Manifests
package import Values

/// Manifests and the objects they become.
extension World {
    @discardableResult
    package func write(_ name: String, _ text: String) -> String {
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            bytes = bytes.dropFirst(count)
        }
        Glibc.close(fd)
        return path
    }

    /// An agent manifest from its name, command and further lines of the spec.
    package static func agent(_ name: String, _ script: String, _ more: String = "") -> String {
        let spec = more.split(separator: "\n").map { "  \($0)\n" }.joined()
        return """
            apiVersion: agentos.dev/v1
            kind: Agent
            metadata: {name: \(name)}
            spec:
              command: [sh, -c, \(JSONWriter.text(.text(script)))]
            \(spec)---

            """
    }

    /// A script that stays until it is asked to stop.
    package static let stays = "trap 'exit 0' TERM; while :; do sleep 0.2; done"

    /// A line of the spec of an agent that ends by itself: without it, one that is slow to end is Ready until then.
    package static let neverReady = "readinessProbe: {exec: {command: [\"false\"]}}"

    @discardableResult
    package func apply(_ manifest: String, _ more: String...) -> Result {
        let path = write("manifest-\(commands).yaml", manifest)
        return run(["-f", path] + more)
    }

    package func get(_ name: String, kind: String = "agent", namespace: String = "default") -> Node? {
        let result = run("get", kind, name, "-n", namespace, "-o", "json")
        return result.code == 0 ? JSONReader.read(result.output) : nil
    }

    package func status(_ name: String) -> Node? { get(name)?["status"] }
    package func phase(_ name: String) -> String { status(name)?["phase"]?.string ?? "absent" }
    package func runOf(_ name: String, _ ordinal: Int = 0) -> Node? {
        status(name)?["runs"]?.list?.first { $0["ordinal"]?.int == ordinal }
    }
    package func pid(_ name: String, _ ordinal: Int = 0) -> pid_t {
        runOf(name, ordinal)?["pid"]?.int.map { pid_t($0) } ?? -1
    }

    /// Whether a run is Ready that is not the one of this process: told by one answer, as two may be from before and after.
    package func runsAnew(_ name: String, after pid: pid_t, _ ordinal: Int = 0) -> Bool {
        guard let status = status(name), status["phase"]?.string == "Ready",
            let run = status["runs"]?.list?.first(where: { $0["ordinal"]?.int == ordinal }), let now = run["pid"]?.int
        else { return false }
        return now > 1 && now != Int(pid)
    }

    /// Processes of this world that have a text in their command line.
    package func processes(with text: String) -> [pid_t] {
        World.processes(with: text).filter { World.belongs($0, to: directory) }
    }

    package func condition(_ name: String, _ type: String) -> Node? {
        status(name)?["conditions"]?.list?.first { $0["type"]?.string == type }
    }

    package func events(_ more: String...) -> [Node] {
        run(["events", "-o", "json"] + more).output.split(separator: "\n").compactMap { JSONReader.read(String($0)) }
    }
}
