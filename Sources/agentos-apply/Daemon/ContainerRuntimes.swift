import Drivers
import Glibc
import Manifests
import Reconciler

/// Which container runtimes this daemon may use, from its options and from what is on the machine.
struct ContainerRuntimes: Sendable {
    private let state: String
    private let socket: String
    private let namespace: String
    private let runsc: String?
    private let platform: String
    private let hostPaths: [String]
    private let isRoot: Bool

    static let options = [
        Option(
            "containerd-socket", value: "PATH", "socket of containerd (default: /run/containerd/containerd.sock)"),
        Option("containerd-namespace", value: "NAME", "containerd namespace of images and agents (default: agentos)"),
        Option("runsc", value: "PATH", "gVisor's program (default: runsc on PATH)"),
        Option("runsc-platform", value: "NAME", "gVisor's platform: ptrace or systrap (default: ptrace)"),
        Option("host-path", value: "DIR", "directory of this machine that manifests may name; may be repeated"),
    ]

    /// Options win over variables of the environment, which a daemon that was started in the background inherits.
    static func words(_ invocation: Invocation) -> [String] {
        options.flatMap { option in invocation.all(option.name).flatMap { ["--\(option.name)", $0] } }
    }

    init(_ paths: Paths, _ invocation: Invocation, isRoot: Bool) throws {
        func given(_ option: String) -> String? {
            let variable = "AGENTOS_" + option.uppercased().replacing("-", with: "_")
            return invocation.value(option) ?? Paths.environment(variable)
        }
        state = paths.state
        socket = Paths.absolute(given("containerd-socket") ?? "/run/containerd/containerd.sock")
        namespace = given("containerd-namespace") ?? "agentos"
        runsc = given("runsc").map(Paths.absolute) ?? Self.program("runsc")
        platform = given("runsc-platform") ?? "ptrace"
        guard ["ptrace", "systrap", "kvm"].contains(platform) else {
            throw invocation.usage("--runsc-platform: expected ptrace or systrap, found \"\(platform)\"")
        }
        let directories = invocation.all("host-path")
        let inherited = (Paths.environment("AGENTOS_HOST_PATH") ?? "").split(separator: ":").map(String.init)
        hostPaths = try (directories.isEmpty ? inherited : directories).map { path in
            guard path.hasPrefix("/") else { throw invocation.usage("--host-path: \"\(path)\" is no absolute path") }
            return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        }
        self.isRoot = isRoot
    }

    private static func program(_ name: String) -> String? {
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

    /// The drivers for which everything is there. A containerd that does not answer at the moment counts as there.
    func drivers(
        supervisor: String, storeID: String, openFiles: Int64, report: @escaping @Sendable (Input) -> Void
    ) throws -> [any Driver] {
        guard isRoot, hasContainerd else { return [] }
        func configuration(_ name: String, _ runs: String, _ runtimes: [AgentSpec.Network: String], _ headroom: Int64)
            -> ContainerdDriver.Configuration
        {
            ContainerdDriver.Configuration(
                name: name, socket: socket, namespace: namespace, state: state, runs: "\(state)/\(runs)",
                supervisor: supervisor, storeID: storeID, runtimes: runtimes, hostPaths: hostPaths,
                openFiles: openFiles, pidsHeadroom: headroom)
        }
        var drivers: [any Driver] = [
            ContainerdDriver(configuration("containerd", "containers", [:], 0), report: report)
        ]
        if let runsc {
            // The sentry's own threads count against the limit of processes.
            let sandboxed = configuration("gvisor", "sandboxes", try makeWrappers(runsc), 1024)
            drivers.append(ContainerdDriver(sandboxed, report: report))
        }
        return drivers
    }

    /// What containerd's shim runs in place of runc. `runsc exec` cannot pass SIGKILL on into its sandbox, so commands
    /// beside an agent leave their pid there, and `end ROOT ID FILE` kills such a command with all that it started.
    private func wrapper(_ runsc: String, _ network: String) -> String {
        """
        #!/bin/sh
        runsc() { '\(runsc)' "$@"; }
        if [ "$1" = end ]; then
            read -r main <"$4"
            [ -n "$main" ] || exit 0
            for signal in STOP STOP KILL; do
                runsc --root "$2" ps "$3" | {
                    tree=" $main "
                    while read -r _ pid parent _; do
                        case $tree in *" $pid "* | *" $parent "*)
                            tree="$tree$pid "
                            runsc --root "$2" kill --pid "$pid" "$3" "$signal"
                            ;;
                        esac
                    done
                }
            done
            exit 0
        fi
        last= file= is_command=
        for word; do
            [ "$word" = exec ] && is_command=yes
            [ "$last" = --pid-file ] && file=${word##*/}
            last=$word
        done
        if [ -n "$is_command" ]; then
            for word; do
                shift
                set -- "$@" "$word"
                [ "$word" = exec ] && set -- "$@" "--internal-pid-file=\(state)/sandboxes/$last/$file"
            done
        fi
        exec '\(runsc)' --platform=\(platform) --network=\(network) "$@"

        """
    }

    /// containerd's shim takes the path of a program without arguments: a script for each network mode.
    private func makeWrappers(_ runsc: String) throws -> [AgentSpec.Network: String] {
        let directory = "\(state)/runtimes"
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw CommandProblem(.failure, "cannot make \(directory): \(String(cString: strerror(errno)))")
        }
        var result: [AgentSpec.Network: String] = [:]
        for (mode, network) in [(AgentSpec.Network.none, "none"), (.host, "host")] {
            let path = "\(directory)/runsc-\(network)"
            try LocalFile.write(wrapper(runsc, network), to: "\(path).new")
            guard chmod("\(path).new", 0o700) == 0, rename("\(path).new", path) == 0 else {
                throw CommandProblem(.failure, "cannot write \(path): \(String(cString: strerror(errno)))")
            }
            result[mode] = path
        }
        return result
    }
}
