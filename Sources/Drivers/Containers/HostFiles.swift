import Machine
import Manifests

/// The files of `/etc` that say who and where a container is: its names and addresses, its user.
struct HostFiles: Sendable {
    var hostName: String
    var network: AgentSpec.Network
    /// Of the agent in the bridge's network.
    var address: String?
    var accounts: Accounts
    var identity: Accounts.Identity
    var home: String

    /// Content by path; what is not here is the image's own.
    var contents: [String: String] {
        var contents = ["/etc/hostname": "\(hostName)\n", "/etc/hosts": hosts]
        contents["/etc/passwd"] = accounts.passwd(adding: identity, home: home)
        contents["/etc/group"] = accounts.group(adding: identity)
        return contents
    }

    private var hosts: String {
        let own = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        switch network {
        case .none: return own + "127.0.1.1 \(hostName)\n"
        case .bridge: return own + "\(address ?? "127.0.1.1") \(hostName)\n"
        case .host:
            // What the machine knows, the agent knows too.
            let machine = Files.text("/etc/hosts") ?? own
            return (machine.hasSuffix("\n") ? machine : machine + "\n") + "127.0.1.1 \(hostName)\n"
        }
    }

    /// Writes them for one run. Returns how they are mounted.
    func write(to directory: String) throws(Files.Failure) -> [OCISpec.Mount] {
        try Files.makeDirectory(directory, mode: 0o711)
        var mounts: [OCISpec.Mount] = []
        for (path, text) in contents.sorted(by: { $0.key < $1.key }) {
            let file = "\(directory)/\(path.split(separator: "/").last ?? "")"
            try Files.replace(file, Array(text.utf8), mode: 0o644)
            mounts.append(OCISpec.Mount(source: file, destination: path, isReadOnly: true))
        }
        return mounts
    }
}
