import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// What all containers of a driver have in common, whoever runs them.
struct ContainerSettings: Sendable {
    /// What a container is made on.
    struct Ground: Sendable {
        var image: ResolvedImage
        var files: RootFiles
        /// Of an agent in the bridge's network.
        var address: String?
    }

    /// Where a container's home appears in it.
    static let homePath = "/home/agent"
    private static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    var volumes: Volumes
    var network: BridgeNetwork
    /// The limit of open files that agents get unless they ask for another.
    var openFiles: Int64
    /// Threads of the runtime itself that count against an agent's limit of processes.
    var pidsHeadroom: Int64
    /// The last signal that the runtime can send.
    var signalMax: Int32

    /// What this machine cannot give to a container.
    func refusals(_ spec: AgentSpec) -> [Refusal.Cause] {
        var causes: [Refusal.Cause] = []
        func refuse(_ field: String, _ message: String) {
            causes.append(Refusal.Cause(message: message, field: field))
        }
        for (index, volume) in spec.volumes.enumerated() {
            guard case .hostPath(let path) = volume.source else { continue }
            if let why = volumes.refusal(ofHostPath: path) { refuse("spec.volumes[\(index)].hostPath.path", why) }
        }
        if let archive = spec.imageArchive, let why = volumes.refusal(ofHostPath: archive) {
            refuse("spec.imageArchive", why)
        }
        if spec.network == .bridge, let why = network.refusal { refuse("spec.network.mode", why) }
        if let signal = spec.stopSignal, signal > signalMax {
            refuse(
                "spec.stopSignal",
                "\(Signals.name(of: signal)) cannot be sent by gVisor; use one without RT, or containerd")
        }
        return causes
    }

    /// Prepares the directories of a run and says how it is to be run.
    ///
    /// - Parameter cgroupsPath: nil: it is in its cgroups already.
    func specification(
        of run: Run, _ context: StartContext, on ground: Ground, cgroupsPath: String?
    ) throws(Volumes.Problem) -> OCISpec {
        let (spec, image) = (run.spec, ground.image)
        let accounts = Accounts(
            passwd: ground.files.text("etc/passwd") ?? "", group: ground.files.text("etc/group") ?? "")
        var identity: Accounts.Identity
        do throws(Accounts.Unknown) {
            identity = try Self.identity(spec, image, accounts, own: context.ownUser)
        } catch { throw Volumes.Problem(message: error.message) }
        if let shared = spec.fsGroup { identity.additional.append(shared) }
        var mounts = try volumes.prepare(run, context, for: identity)
        let home = try volumes.home(run.id, for: identity)
        mounts.append(OCISpec.Mount(source: home, destination: Self.homePath, isReadOnly: false))
        let hostName = "\(context.agent)-\(run.id.ordinal)"
        let files = HostFiles(
            hostName: hostName, network: spec.network ?? .none, address: ground.address, accounts: accounts,
            identity: identity, home: Self.homePath)
        // What the manifest mounts there is meant.
        let taken = Set(mounts.map(\.destination))
        mounts += try volumes.write(files, run.id).filter { !taken.contains($0.destination) }
        if spec.network == .host || spec.network == .bridge, Files.exists("/etc/resolv.conf") {
            mounts.append(
                OCISpec.Mount(source: "/etc/resolv.conf", destination: "/etc/resolv.conf", isReadOnly: true))
        }
        var arguments = context.arguments
        if spec.command.isEmpty {
            arguments = image.entrypoint + (context.arguments.isEmpty ? image.command : context.arguments)
        }
        guard !arguments.isEmpty else { throw Volumes.Problem(message: "the image names no command; set spec.command") }
        let environment = Self.environment(image, context)
        if let why = context.problem ?? ProgramLimits.refusal(arguments: arguments, environment: environment) {
            throw Volumes.Problem(message: why)
        }
        if let why = OCISpec.refusal(of: spec.resources) { throw Volumes.Problem(message: why) }
        if spec.stopSignal == nil, let signal = image.stopSignal, signal > signalMax {
            throw Volumes.Problem(
                message:
                    "the image's STOPSIGNAL \(Signals.name(of: signal)) cannot be sent by gVisor; set spec.stopSignal")
        }
        let namespace: String? =
            switch spec.network {
            case .host: "host"
            case .bridge: network.namespace(run.id)
            case .some(.none), nil: nil
            }
        return OCISpec(
            run: run, hostName: hostName, arguments: arguments, environment: environment,
            workingDir: spec.workingDir ?? (image.workingDir.isEmpty ? Self.homePath : image.workingDir),
            identity: identity, mounts: mounts, openFiles: spec.resources.limitOpenFiles ?? openFiles,
            cgroupsPath: cgroupsPath, networkNamespace: namespace, pidsHeadroom: pidsHeadroom)
    }

    /// The manifest decides, then the image; without either the agent has a user of its own. Root is who the manifest says
    /// so: an image that names user 0 gets a user of its own, too.
    private static func identity(
        _ spec: AgentSpec, _ image: ResolvedImage, _ accounts: Accounts, own: UInt32?
    ) throws(Accounts.Unknown) -> Accounts.Identity {
        if let user = spec.runAsUser {
            return Accounts.Identity(user: user, group: spec.runAsGroup ?? user)
        }
        var identity = Accounts.Identity(user: own ?? 65_534, group: own ?? 65_534)
        if !image.user.isEmpty {
            let named = try accounts.identity(of: image.user)
            if named.user != 0 { identity = named }
        }
        if let group = spec.runAsGroup { identity.group = group }
        return identity
    }

    private static func environment(
        _ image: ResolvedImage, _ context: StartContext
    ) -> [(name: String, value: String)] {
        var environment: [(name: String, value: String)] = []
        let own = Set(context.environment.map(\.name))
        for text in [path] + image.environment + ["HOME=\(homePath)"] {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !own.contains(parts[0]) else { continue }
            environment.removeAll { $0.name == parts[0] }
            environment.append((parts[0], parts[1]))
        }
        return environment + context.environment
    }
}
