import Glibc
import Manifests
import Support
import Testing
import Values

/// A driver that is handed to the suite: what its agents ask for, and what is true of it.
///
/// The suite asks for these facts and for no names. A new driver is one more row of `allCases`.
struct Isolation: Sendable, Equatable, CaseIterable, CustomTestStringConvertible {
    /// What keeps an agent apart.
    enum Wall: Sendable {
        /// Users, limits and filters of the machine's own kernel.
        case process
        /// Namespaces of the machine's kernel.
        case container
        /// A kernel of its own.
        case kernel
    }

    var testDescription: String
    /// Its name in manifests.
    var driver: String
    var wall: Wall
    var usesContainerd: Bool

    static let process = Isolation(testDescription: "process", driver: "process", wall: .process, usesContainerd: false)
    static let containerd = Isolation(
        testDescription: "containerd", driver: "containerd", wall: .container, usesContainerd: true)
    static let gvisor = Isolation(testDescription: "gvisor", driver: "gvisor", wall: .kernel, usesContainerd: true)
    /// gVisor on a machine without containerd.
    static let sandbox = Isolation(testDescription: "sandbox", driver: "gvisor", wall: .kernel, usesContainerd: false)

    static let allCases: [Isolation] = [.process, .containerd, .gvisor, .sandbox]
    static let containers = allCases.filter(\.isContainer)
    static let withContainerd = allCases.filter(\.usesContainerd)
    static let withOwnKernel = allCases.filter(\.hasOwnKernel)
    /// The machine's kernel sees their memory, and tells which process it killed for want of it.
    static let withSharedKernel = allCases.filter { !$0.hasOwnKernel }

    /// Its agents run images.
    var isContainer: Bool { wall != .process }
    var hasOwnKernel: Bool { wall == .kernel }
    /// The highest of the signals that it can send to an agent, by name and number.
    var unusualSignal: (name: String, number: Int) { hasOwnKernel ? ("SIGUSR1", 10) : ("SIGRTMIN+3", 37) }

    /// The lines of a spec that choose this isolation.
    var lines: String { "driver: \(driver)\n" + (isContainer ? "imageArchive: \(Containerd.image)\n" : "") }
}

/// A containerd of the test's own, in a directory and a namespace of its own.
final class Containerd {
    let directory: String
    let namespace: String
    private(set) var pid: pid_t = -1
    var socket: String { "\(directory)/c.sock" }

    /// The busybox image, made once from the machine's own package.
    static let image: String = {
        let path = "/tmp/agentos-test-image-\(getpid()).tar"
        let script = #filePath.replacing("Tests/DriverConformance/Isolation.swift", with: "scripts/make-image")
        let maker = World.start(
            ["/usr/bin/python3", script, path], ["PATH=/usr/bin:/bin:/usr/sbin"], nil, "/dev/null", "\(path).log")
        #expect(World.wait(maker) == 0, "make-image: \(World.read("\(path).log"))")
        unlink("\(path).log")
        return path
    }()

    static let runsc = program("AGENTOS_TEST_RUNSC", "trixie/usr/bin/runsc")
    /// A containerd that can pull.
    static let second = program("AGENTOS_TEST_CONTAINERD", "sid/usr/bin/containerd")

    private static func program(_ variable: String, _ path: String) -> String? {
        let given = getenv(variable).map { String(cString: $0) } ?? ""
        let built = #filePath.replacing("Tests/DriverConformance/Isolation.swift", with: ".build/runtimes/\(path)")
        return [given, built].first { !$0.isEmpty && access($0, X_OK) == 0 }
    }

    private let program: String

    init(_ world: World, program: String = "containerd") throws {
        self.program = program
        directory = "\(world.directory)/containerd"
        namespace = "test-\(getpid())-\(UInt16.random(in: 0 ... .max))"
        mkdir(directory, 0o700)
        world.write(
            "containerd/config.toml",
            """
            version = 2
            root = "\(directory)/root"
            state = "\(directory)/state"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
              address = "\(directory)/c.sock"
            [ttrpc]
              address = "\(directory)/c.sock.ttrpc"
            [plugins."io.containerd.internal.v1.opt"]
              path = "\(directory)/opt"
            """)
        try start()
    }

    func start() throws {
        // Its shim lies beside it.
        let beside = program.hasPrefix("/") ? String(program[..<program.lastIndex(of: "/")!]) + ":" : ""
        pid = World.start(
            [program, "-c", "\(directory)/config.toml"], ["PATH=\(beside)/usr/sbin:/usr/bin:/sbin:/bin"], nil,
            "/dev/null",
            "\(directory)/log")
        try #require(pid > 0, "containerd is not installed; scripts/setup --tests installs it")
        World.until("containerd answers") { ctr("version") != nil }
    }

    func kill() {
        World.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        pid = -1
    }

    /// What `ctr` prints; nil when it fails.
    func ctr(_ words: String...) -> String? {
        let output = "\(directory)/ctr.out"
        let process = World.start(
            ["ctr", "-a", socket, "-n", namespace] + words, ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], nil, output,
            "/dev/null")
        return World.wait(process) == 0 ? World.read(output) : nil
    }

    private func lines(_ text: String?) -> [String] { (text ?? "").split(separator: "\n").map(String.init) }
    var tasks: [String] { lines(ctr("tasks", "ls", "-q")) }
    var containers: [String] { lines(ctr("containers", "ls", "-q")) }
    var images: [String] { lines(ctr("images", "ls", "-q")) }
    /// Snapshots that belong to no image.
    var snapshots: [String] { lines(ctr("snapshots", "ls")).filter { $0.contains("Active") } }
    var leases: [String] { lines(ctr("leases", "ls", "-q")) }

    func close() {
        if pid > 0 {
            World.kill(pid, SIGCONT)
            for task in tasks { _ = ctr("tasks", "delete", "--force", task) }
            kill()
        }
        // What still runs here was started by shims that nobody serves any more.
        for process in World.processes(with: namespace) { World.kill(process, SIGKILL) }
        for mount in World.read("/proc/self/mounts").split(separator: "\n").reversed() {
            let place = mount.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            if place.hasPrefix(directory) || place.hasPrefix("/run/containerd") && place.contains(namespace) {
                umount2(place, 2)
            }
        }
    }
}

/// A world with the isolation that a test asks for.
func inIsolation(
    _ isolation: Isolation, containerd program: String = "containerd", _ body: (World, Containerd?) throws -> Void
) throws {
    try #require(World.isRoot, "containers need root")
    let world = World()
    var containerd: Containerd?
    defer {
        world.killDaemon()
        containerd?.close()
        world.removeNetwork()
        umount2("\(world.state)/memory", 2)
        world.close()
    }
    // Tests run beside each other: each has addresses of its own.
    let subnet = "10.\(100 + Int.random(in: 0..<100)).\(Int.random(in: 0..<256)).0/24"
    world.moreEnvironment = [
        "AGENTOS_HOST_PATH=/tmp", "AGENTOS_BRIDGE_SUBNET=\(subnet)",
        "AGENTOS_CONTAINERD_SOCKET=\(world.directory)/none",
    ]
    if isolation.usesContainerd {
        let runtime = try Containerd(world, program: program)
        containerd = runtime
        world.moreEnvironment[2] = "AGENTOS_CONTAINERD_SOCKET=\(runtime.socket)"
        world.moreEnvironment.append("AGENTOS_CONTAINERD_NAMESPACE=\(runtime.namespace)")
    }
    if isolation.hasOwnKernel {
        let runsc = try #require(Containerd.runsc, "runsc is missing; scripts/test gets it")
        world.moreEnvironment.append("AGENTOS_RUNSC=\(runsc)")
    }
    try body(world, containerd)
}

extension World {
    func agent(_ name: String, _ isolation: Isolation, _ script: String, _ more: String = "") -> String {
        World.agent(name, script, isolation.lines + more)
    }

    /// What a test that failed may have left of its network.
    func removeNetwork() {
        for name in World.names("\(state)/network") { umount2("\(state)/network/\(name)", 2) }
        for link in bridges {
            _ = World.wait(
                World.start(["ip", "link", "del", link], environment, nil, "/dev/null", "/dev/null"))
        }
    }

    /// The bridges of this world's daemon.
    var bridges: [String] {
        let addresses = World.names("\(state)/network/.addresses")
        return World.names("/sys/class/net").filter { addresses.contains($0) }
    }

    /// Applies and waits until all is ready; on failure the logs of the daemon and containerd are told.
    func ready(_ manifest: String) {
        let path = write("ready.yaml", manifest)
        let result = run(["-f", path, "--wait", "--timeout", "120s"])
        guard result.code != 0 else { return }
        let text = run("describe", "agents").text
        Issue.record("\(result.text)\n\(text)\n\(log)\n\(World.read("\(directory)/containerd/log").suffix(6000))")
    }

    /// The lines that an agent wrote, without their times.
    func log(_ name: String, _ more: String...) -> [String] {
        run(["logs", name] + more).output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            .filter { !$0.isEmpty }
    }

    func untilLog(_ name: String, _ text: String) {
        World.until("\(name) says \(text): \(log(name).suffix(5))") {
            log(name).contains { $0.contains(text) }
        }
    }

    func lastExit(_ name: String) -> Node? { runOf(name)?["lastExit"] }
    func restarts(_ name: String) -> Int { runOf(name)?["restarts"]?.int ?? -1 }
    func reason(_ name: String) -> String { condition(name, "Ready")?["reason"]?.string ?? "" }
}
