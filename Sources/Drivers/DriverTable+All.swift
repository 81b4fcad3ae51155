public import Manifests

extension DriverTable {
    /// The drivers of this program; an agent that names none has the first.
    public static let all = DriverTable([.process, .containerd, .gvisor])
}
