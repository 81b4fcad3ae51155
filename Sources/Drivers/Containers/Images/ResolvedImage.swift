import Manifests
import Values

/// What a run needs to know of its image.
struct ResolvedImage: Sendable {
    /// Of the manifest or index that the reference named.
    var digest: String
    /// Names the snapshot that holds the unpacked layers.
    var chainID: String
    var user: String
    var environment: [String]
    var workingDir: String
    var entrypoint: [String]
    var command: [String]
    var stopSignal: Int32?

    init(digest: String, chainID: String, config: Node?) {
        let settings = config?["config"]
        func strings(_ name: String) -> [String] { (settings?[name]?.list ?? []).compactMap(\.string) }
        self.digest = digest
        self.chainID = chainID
        user = settings?["User"]?.string ?? ""
        environment = strings("Env")
        workingDir = settings?["WorkingDir"]?.string ?? ""
        entrypoint = strings("Entrypoint")
        command = strings("Cmd")
        let signal = settings?["StopSignal"]?.string ?? ""
        stopSignal = Signals.number(of: signal) ?? UInt8(signal).map { Int32($0) }
    }
}
