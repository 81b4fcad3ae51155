import HTTP
import Values

/// A port here and the port of a replica that it leads to: `LOCAL:REMOTE`, `PORT` for the same on both sides, `:REMOTE` for
/// one that the kernel chooses.
package struct PortPair: Equatable, Sendable {
    package var local: UInt16
    package var remote: UInt16

    package init(local: UInt16, remote: UInt16) {
        self.local = local
        self.remote = remote
    }

    package init?(_ word: String) {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        func port(_ text: Substring) -> UInt16? {
            WholeNumber.read(text, in: 1...Int(UInt16.max)).map { UInt16($0) }
        }
        guard (1...2).contains(parts.count), let last = parts.last, let remote = port(last) else { return nil }
        self.remote = remote
        if parts.count == 1 {
            local = remote
        } else if parts[0].isEmpty {
            local = 0
        } else {
            guard let given = port(parts[0]) else { return nil }
            local = given
        }
    }
}
