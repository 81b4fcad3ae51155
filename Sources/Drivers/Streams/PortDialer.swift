import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Connections to ports of runs, each made on a thread of its own: who enters another network does not come back from it.
struct PortDialer: Sendable {
    /// Where a run listens.
    enum Place: Sendable {
        /// On this machine, as everybody.
        case machine
        /// At an address of its own.
        case address(String)
        /// Behind its own loopback, in the network of a process; at its address where it has one, too.
        case inside(pid: Int32, address: String?)
    }

    let run: RunID
    let place: Place
    let port: UInt16

    /// `report` is called once.
    func dial(_ report: @escaping @Sendable (DialResult) -> Void) {
        startThread(name: "dialer") { report(connect()) }
    }

    /// To the address of a run that nobody else can enter.
    static func dialAddress(of run: Run, port: UInt16, _ report: @escaping @Sendable (DialResult) -> Void) {
        guard let address = run.facts.address else {
            return report(
                .refused("its network has no address that leads into its sandbox; set spec.network.mode: Bridge"))
        }
        PortDialer(run: run.id, place: .address(address), port: port).dial(report)
    }

    private static let loopback = ["127.0.0.1", "::1"]
    private static let patienceMs: Int32 = 5000

    private func connect() -> DialResult {
        let addresses: [String]
        switch place {
        case .machine: addresses = Self.loopback
        case .address(let own): addresses = [own]
        case .inside(let pid, let own):
            if let problem = enter(pid) { return .refused(problem) }
            addresses = Self.loopback + (own.map { [$0] } ?? [])
        }
        var refused = ""
        for address in addresses {
            switch Self.connect(address, port) {
            case .success(let fd): return .connected(fd)
            // What is told is the first: the others are there to be found, not to be missed.
            case .failure(let problem): if refused.isEmpty { refused = problem.words }
            }
        }
        return .refused(refused)
    }

    /// Goes into the network of a process of the run; what stands in the way, or nil.
    private func enter(_ pid: Int32) -> String? {
        guard agentos_enter_network(pid) == 0 else {
            return "cannot enter the network of its process \(pid): \(String(cString: strerror(errno)))"
        }
        // Its number may be another's by now: then we are where we should not be, and do nothing there.
        guard let group = Files.text("/proc/\(pid)/cgroup"), group.contains(run.text) else {
            return "its process \(pid) has ended"
        }
        return nil
    }

    private struct Refused: Error {
        var words: String
    }

    private static func connect(_ address: String, _ port: UInt16) -> Result<Int32, Refused> {
        let place = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        func refused(_ code: Int32) -> Result<Int32, Refused> {
            .failure(Refused(words: "\(place): \(String(cString: strerror(code)))"))
        }
        let fd = agentos_connect_tcp(address, port)
        guard fd >= 0 else { return refused(errno) }
        var ready = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        let code = poll(&ready, 1, patienceMs) > 0 ? agentos_socket_error(fd) : ETIMEDOUT
        guard code == 0 else {
            close(fd)
            return refused(code)
        }
        // What was written before the end is still read.
        var lingers = linger(l_onoff: 0, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &lingers, socklen_t(MemoryLayout<linger>.size))
        return .success(fd)
    }
}
