import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// What all containers of a driver have in common, whoever runs them.
struct ContainerSettings: Sendable {
    /// Where a container's home appears in it.
    static let homePath = "/home/agent"

    var volumes: Volumes
    var network: BridgeNetwork
    /// The limit of open files that agents get unless they ask for another.
    var openFiles: Int64
    /// Threads of the runtime itself that count against an agent's limit of processes.
    var pidsHeadroom: Int64

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
        return causes
    }

    /// Prepares the directories of a run and says how it is to be run.
    ///
    /// - Parameter cgroupsPath: nil: it is in its cgroups already.
    func specification(
        of run: Run, _ context: StartContext, _ image: ResolvedImage, cgroupsPath: String?
    ) throws(Volumes.Problem) -> OCISpec {
        let named = image.user.split(separator: ":").compactMap { UInt32($0) }
        let user = run.spec.runAsUser ?? named.first ?? context.ownUser ?? 65_534
        let group = run.spec.runAsGroup ?? (run.spec.runAsUser == nil && named.count > 1 ? named[1] : user)
        var mounts = try volumes.prepare(run, context, owner: user, group: group)
        let home = try volumes.home(run.id, owner: user, group: group)
        mounts.append(OCISpec.Mount(source: home, destination: Self.homePath, isReadOnly: false))
        var shared: [String] = []
        switch run.spec.network {
        case .host: shared = ["/etc/hosts", "/etc/resolv.conf"]
        case .bridge: shared = ["/etc/resolv.conf"]
        case .some(.none), nil: break
        }
        for path in shared where Files.exists(path) {
            mounts.append(OCISpec.Mount(source: path, destination: path, isReadOnly: true))
        }
        var environment: [(name: String, value: String)] = []
        let own = Set(context.environment.map(\.name))
        for text in ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + image.environment + [
            "HOME=\(Self.homePath)"
        ] {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !own.contains(parts[0]) else { continue }
            environment.removeAll { $0.name == parts[0] }
            environment.append((parts[0], parts[1]))
        }
        var arguments = context.arguments
        if run.spec.command.isEmpty {
            arguments = image.entrypoint + (context.arguments.isEmpty ? image.command : context.arguments)
        }
        guard !arguments.isEmpty else { throw Volumes.Problem(message: "the image names no command; set spec.command") }
        let namespace: String? =
            switch run.spec.network {
            case .host: "host"
            case .bridge: network.namespace(run.id)
            case .some(.none), nil: nil
            }
        return OCISpec(
            run: run, context: context, arguments: arguments, environment: environment + context.environment,
            workingDir: run.spec.workingDir ?? (image.workingDir.isEmpty ? Self.homePath : image.workingDir),
            user: user, group: group, mounts: mounts, openFiles: run.spec.resources.limitOpenFiles ?? openFiles,
            cgroupsPath: cgroupsPath, networkNamespace: namespace, pidsHeadroom: pidsHeadroom)
    }
}
