import Manifests

extension DriverCapabilities {
    static let gvisor = container("gvisor")
}
