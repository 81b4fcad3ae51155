import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// The network of agents with `mode: Bridge`: one bridge for each store, a namespace and an address for each run, made
/// by the plugins `bridge` and `host-local`.
///
/// `<state>/network/<run>` is the namespace of a run, mounted there; its presence says that there is something to undo.
///
/// Source: the Container Network Interface specification 0.4.0.
public struct BridgeNetwork: Sendable {
    struct Problem: Error { var message: String }

    /// Directory of the plugins; Debian's package puts them into /usr/lib/cni.
    var plugins: String
    /// Addresses are taken from it, as `10.90.0.0/16`.
    var subnet: String
    var state: String
    var storeID: String
    /// Path of the program `agentos-supervise`.
    var supervisor: String

    public init(plugins: String, subnet: String, state: String, storeID: String, supervisor: String) {
        self.plugins = plugins
        self.subnet = subnet
        self.state = state
        self.storeID = storeID
        self.supervisor = supervisor
    }

    private var directory: String { "\(state)/network" }
    private var bridge: String { "agos\(storeID.prefix(8))" }
    /// The machine's programs that the plugins call.
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    func namespace(_ run: RunID) -> String { "\(directory)/\(run.text)" }

    /// Why this machine has no such network.
    var refusal: String? {
        for name in ["bridge", "host-local"] where access("\(plugins)/\(name)", X_OK) != 0 {
            return
                "Bridge needs the CNI plugin \(plugins)/\(name); install Debian's package containernetworking-plugins, "
                + "or use None or Host"
        }
        return nil
    }

    // MARK: A run's place in it

    /// Makes the namespace and the address of a run anew; what a start that was cut off has made is undone before.
    ///
    /// - Parameter done: called once, on the loop's thread, with the run's address.
    func attach(_ run: RunID, _ events: EventLoop, done: @escaping (Result<String, Problem>) -> Void) {
        detach(run, events) { problem in
            if let problem { return done(.failure(problem)) }
            do throws(Files.Failure) { try Files.makeDirectory(directory) } catch {
                return done(.failure(Problem(message: error.words)))
            }
            guard agentos_make_network(namespace(run)) == 0 else {
                let why = String(cString: strerror(errno))
                return done(.failure(Problem(message: "making a network namespace: \(why)")))
            }
            call("ADD", run, events) { result in
                switch result {
                case .failure(let problem): done(.failure(problem))
                case .success(let answer):
                    let address = answer?["ips"]?.list?.first?["address"]?.string ?? ""
                    guard let plain = address.split(separator: "/").first else {
                        return done(.failure(Problem(message: "the plugin bridge gave no address")))
                    }
                    done(.success(String(plain)))
                }
            }
        }
    }

    /// Gives back what a run has; nothing is done when it has nothing.
    func detach(_ run: RunID, _ events: EventLoop, done: @escaping (Problem?) -> Void) {
        guard Files.exists(namespace(run)) else { return done(nil) }
        call("DEL", run, events) { result in
            if case .failure(let problem) = result { return done(problem) }
            _ = agentos_unmount(namespace(run))
            unlink(namespace(run))
            done(nil)
        }
    }

    /// What crashes left: the networks of runs that are not there any more.
    func sweep(_ events: EventLoop, isThere: @escaping (RunID) -> Bool) {
        for run in Files.names(in: directory).sorted().compactMap(RunID.init) where !isThere(run) {
            detach(run, events) { _ in }  // tried again at the next start
        }
    }

    /// Takes the bridge away when nobody is at it.
    func removeEmpty() {
        guard Files.exists(directory), !Files.names(in: directory).contains(where: { RunID($0) != nil }) else { return }
        _ = agentos_remove_bridge(bridge)
        Files.removeTree(directory)
    }

    // MARK: Plugins

    private func call(
        _ command: String, _ run: RunID, _ events: EventLoop, done: @escaping (Result<Node?, Problem>) -> Void
    ) {
        let canMasquerade = Self.path.split(separator: ":").contains { access("\($0)/iptables", X_OK) == 0 }
        let configuration = Node.map([
            ("cniVersion", "0.4.0"), ("name", .text(bridge)), ("type", "bridge"), ("bridge", .text(bridge)),
            ("isGateway", true), ("ipMasq", Node(.bool(canMasquerade))), ("hairpinMode", true),
            (
                "ipam",
                .map([
                    ("type", "host-local"), ("dataDir", .text("\(directory)/.addresses")),
                    ("ranges", [[.map([("subnet", .text(subnet))])]]), ("routes", [.map([("dst", "0.0.0.0/0")])]),
                ])
            ),
        ])
        // A crash, or a reboot, may have left the file without what was mounted there: then only the address is given back.
        let place = agentos_is_network(namespace(run)) != 0 ? namespace(run) : ""
        let environment = [
            "CNI_COMMAND=\(command)", "CNI_CONTAINERID=\(run.text)", "CNI_NETNS=\(place)", "CNI_IFNAME=eth0",
            "CNI_PATH=\(plugins)", "PATH=\(Self.path)",
        ]
        ChildProgram.run(
            ["\(plugins)/bridge"], environment: environment, input: JSONWriter.bytes(configuration), timeoutMs: 15_000,
            supervisor: supervisor, events: events
        ) { result in
            let answer = JSONReader.read(result.text)
            if case .exited(0) = result.end { return done(.success(answer)) }
            let why = answer?["msg"]?.string ?? result.complaint
            done(.failure(Problem(message: "the CNI plugin bridge (\(command)): \(why)")))
        }
    }
}
