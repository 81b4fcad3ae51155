import Manifests

extension DriverCapabilities {
    /// What agents can have that are processes of the machine.
    static let process = DriverCapabilities(
        name: "process", program: .command(why: "a process has no image that names a command"), usualNetwork: .host,
        hasOwnUsers: false,
        features: [.hostNetwork, .filesystem],
        reasons: [
            .noNetwork: "a process has the machine's network", .bridgeNetwork: "a process has the machine's network",
        ])
}
