import Glibc
import Support
import Testing

/// Clients of Kubernetes as people use them, over TLS, each in a world of its own. The cases are in the scripts beside this.
@Suite(.serialized) struct ClientMatrixTests {
    /// Debian 12's kubectl, and those of its newer suites; `scripts/test` gets them.
    private static let kubectls = ["BOOKWORM", "TRIXIE", "SID"].map { "AGENTOS_TEST_KUBECTL_\($0)" }

    private static func program(_ variable: String) -> String? {
        getenv(variable).map { String(cString: $0) }.flatMap { World.isExecutable($0) ? $0 : nil }
    }

    @Test(arguments: kubectls) func kubectlDoesWhatPeopleDoEveryDay(variable: String) throws {
        let kubectl = try #require(Self.program(variable), "\(variable) names no kubectl; scripts/test gets it")
        Self.run("kubectl", with: "/usr/bin/python3", [kubectl])
    }

    @Test(arguments: kubectls) func kubectlDoesWhatOneRoleAllows(variable: String) throws {
        let kubectl = try #require(Self.program(variable), "\(variable) names no kubectl; scripts/test gets it")
        Self.run("reader", with: "/usr/bin/python3", [kubectl])
    }

    @Test(arguments: ["kubernetes_client", "kr8s_client", "lightkube_client", "kopf_operator"])
    func pythonClientsWork(script: String) throws {
        let python = try #require(
            Self.program("AGENTOS_TEST_CLIENTS"), "AGENTOS_TEST_CLIENTS names no Python; scripts/test gets it")
        Self.run(script, with: python, [])
    }

    private static func run(_ script: String, with python: String, _ words: [String]) {
        inWorld { world in
            let start = world.start("--listen", "127.0.0.1:0")
            #expect(start.code == 0, "\(start.text)\n\(world.log)")
            let config = world.run("kubeconfig")
            #expect(config.code == 0, "\(config.text)")
            let path = world.write("kubeconfig.yaml", config.output)
            let code = "\(World.root)/Tests/ClientMatrix/\(script).py"
            let result = world.spawn([python, "-B", code] + words + [path], timeoutMs: 800_000)
            let lines = result.output.split(separator: "\n")
            for line in lines where line.hasPrefix("failed ") { Issue.record("\(script): \(line)") }
            let cases = lines.filter { $0.hasPrefix("ok ") || $0.hasPrefix("failed ") }.count
            #expect(cases > 5 && lines.last?.hasPrefix("\(cases) cases, ") == true, "\(result.text.suffix(3000))")
        }
    }
}
