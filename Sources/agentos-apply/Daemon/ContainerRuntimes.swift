import Drivers
import Glibc
import Manifests
import Reconciler
import Values

/// Which container runtimes this daemon may use, from its settings and from what is on the machine.
struct ContainerRuntimes: Sendable {
    private let state: String
    private let socket: String
    private let namespace: String
    private let runsc: String?
    private let platform: String
    private let hostPaths: [String]
    private let isRoot: Bool
    private let subnet: String
    private let plugins: String
    private let agentsCgroup: String?

    init(_ settings: Settings, state: String, isRoot: Bool) {
        self.state = state
        socket = settings.containerdSocket
        namespace = settings.containerdNamespace
        let program = settings.runsc ?? Self.program("runsc")
        runsc = program.flatMap { access($0, X_OK) == 0 ? $0 : nil }
        platform = settings.runscPlatform
        hostPaths = settings.hostPaths
        subnet = settings.bridgeSubnet
        plugins = settings.cniPlugins
        agentsCgroup = settings.agentsCgroup
        self.isRoot = isRoot
    }

    /// The one on PATH.
    static func program(_ name: String) -> String? {
        (Paths.environment("PATH") ?? "").split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private var hasContainerd: Bool { access(socket, F_OK) == 0 }

    /// Why a driver is not there, and what to do about it.
    func absence(of driver: String) -> String {
        let restart = "then restart the daemon"
        if !isRoot { return "the driver \(driver) needs a daemon that runs as root; this one does not" }
        if driver == "gvisor", runsc == nil {
            return "gVisor's program runsc is not on this machine; install it or give --runsc PATH, \(restart)"
        }
        return "no containerd is at \(socket); start one or give --containerd-socket PATH, \(restart)"
    }

    /// The drivers for which everything is there. A containerd that does not answer at the moment counts as there;
    /// without one, gVisor runs by itself.
    func drivers(
        supervisor: String, storeID: String, openFiles: Int64, report: @escaping @Sendable (Input) -> Void
    ) throws -> [any Driver] {
        guard isRoot else { return [] }
        let network = BridgeNetwork(
            plugins: plugins, subnet: subnet, state: state, storeID: storeID, supervisor: supervisor)
        // The sentry's own threads count against the limit of processes.
        let headroom: Int64 = 1024
        var programs: RunscPrograms?
        do throws(RunscPrograms.Problem) {
            programs = try runsc.map { runsc throws(RunscPrograms.Problem) in
                try RunscPrograms(state: state, runsc: runsc, platform: platform)
            }
        } catch { throw CommandProblem(.failure, error.message) }
        guard hasContainerd else {
            guard let programs else { return [] }
            let configuration = GvisorDriver.Configuration(
                state: state, supervisor: supervisor, storeID: storeID, openFiles: openFiles, programs: programs,
                hostPaths: hostPaths, network: network, pidsHeadroom: headroom,
                agentsCgroup: agentsCgroup)
            return [GvisorDriver(configuration, report: report)]
        }
        func configuration(_ name: String, _ runs: String, _ runtimes: [AgentSpec.Network: String], _ headroom: Int64)
            -> ContainerdDriver.Configuration
        {
            ContainerdDriver.Configuration(
                name: name, socket: socket, namespace: namespace, state: state, runs: "\(state)/\(runs)",
                supervisor: supervisor, storeID: storeID, runtimes: runtimes, hostPaths: hostPaths,
                openFiles: openFiles, pidsHeadroom: headroom, network: network)
        }
        var drivers: [any Driver] = [
            ContainerdDriver(configuration("containerd", "containers", [:], 0), report: report)
        ]
        if let programs {
            drivers.append(
                ContainerdDriver(configuration("gvisor", "sandboxes", programs.paths, headroom), report: report))
        }
        return drivers
    }
}
