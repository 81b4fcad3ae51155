public import Manifests

extension DriverTable {
    /// The drivers of this program.
    public static let all = DriverTable([.process, .containerd, .gvisor])
}
